"""Processes that a measurement starts, what they use, and small helpers."""
import json
import os
import platform
import socket
import subprocess
import time
from pathlib import Path

PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin"
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_LIMIT_S = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(check, what, limit_s=START_LIMIT_S):
    end = time.monotonic() + limit_s
    while not (found := check()):
        if time.monotonic() > end:
            raise RuntimeError(f"not in {limit_s} s: {what}")
        time.sleep(0.02)
    return found


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as info:
            names = [line.split(":", 1)[1].strip() for line in info
                     if line.startswith("model name")]
        return f"{len(names)} × {names[0]}"
    except (OSError, IndexError):
        return platform.machine()


def _stat_fields(pid):
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()


def _family(pid):
    yield pid
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(_stat_fields(entry.name)[1]) == pid:
                yield from _family(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue


def cpu_seconds(processes):
    """Of processes and their children, ended ones too."""
    total = 0
    for process in processes:
        for pid in _family(process.pid):
            try:
                total += sum(int(n) for n in _stat_fields(pid)[11:15])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return total / TICK


def resident_kib(process):
    """Memory of a process and its children that is in use now."""
    total = 0
    for pid in _family(process.pid):
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total * PAGE // 1024


class Machine:
    """Starts programs with one environment and a folder for their files; ends them with the
    block."""

    def __init__(self, folder, adit, programs):
        self.folder = Path(folder)
        self.adit = adit
        self.load_program = programs / "bench-load"
        self.bare_program = programs / "bench-bare"
        self.delay_program = programs / "bench-delay"
        self.agents_program = programs / "bench-agents"
        self.ssh_home = None
        self._started = []
        self.environment = {"PATH": PATH, "HOME": str(folder), "LANG": "C.UTF-8",
                            "XDG_CONFIG_HOME": str(self.folder / "config")}
        self._make_certificate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(*self._started)

    def _make_certificate(self):
        """One for all that speak TLS: P-256, as a public CA gives today."""
        self.cert, self.key = self.folder / "cert.pem", self.folder / "key.pem"
        self.pem = self.folder / "both.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext",
                        "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1,"
                        "IP:10.77.0.2", "-keyout", self.key, "-out", self.cert],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pem.write_bytes(self.cert.read_bytes() + self.key.read_bytes())
        self.pem.chmod(0o600)
        self.environment["SSL_CERT_FILE"] = str(self.cert)

    def start(self, argv, env=None, **options):
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(arg) for arg in argv],
                                   env={**self.environment, **(env or {})}, **options)
        self._started.append(process)
        return process

    def stop(self, *processes):
        for process in reversed(processes):
            process.terminate()
        for process in reversed(processes):
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._started = [p for p in self._started if p not in processes]

    def run(self, *argv, stdin=None, env=None):
        return subprocess.run([str(arg) for arg in argv], input=stdin, check=True,
                              env={**self.environment, **(env or {})}, stdout=subprocess.PIPE,
                              text=True, timeout=120).stdout

    def load(self, *args, prefix=()):
        """One run of the load program: its numbers."""
        done = subprocess.run([*prefix, str(self.load_program), *map(str, args)],
                              stdout=subprocess.PIPE, check=False, timeout=180)
        found = json.loads(done.stdout or '{"failed": true}')
        if found["failed"]:
            raise RuntimeError(f"the load failed: {' '.join(map(str, args))}")
        return found

    def serve(self, addr="127.0.0.1", prefix=()):
        """Starts the load's server: its process and its port."""
        process = self.start([*prefix, self.load_program, "serve", addr], stdout=subprocess.PIPE)
        return process, int(process.stdout.readline())
