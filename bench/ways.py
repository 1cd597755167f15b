"""The ways to reach the load's server, each started as its users start it."""
import getpass
import http.client
import json
import os
import secrets
import socket
import subprocess
import time
from pathlib import Path

PATH = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin"
TICK = os.sysconf("SC_CLK_TCK")
START_LIMIT_S = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(check, what):
    end = time.monotonic() + START_LIMIT_S
    while not check():
        if time.monotonic() > end:
            raise RuntimeError(f"not in {START_LIMIT_S} s: {what}")
        time.sleep(0.02)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def stat_fields(pid):
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()


class Way:
    """A started way: where to connect, and what its processes have used."""

    def __init__(self, name, port, processes=(), app=None):
        self.name = name
        self.port = port
        self.app = app  # the app proxy: port, Host and Cookie by which it takes requests
        self._processes = dict(processes)  # what it is called -> Popen

    def _family(self, pid):
        yield pid
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and int(stat_fields(entry.name)[1]) == pid:
                    yield from self._family(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue

    def cpu_seconds(self):
        """Of its processes and their children, ended ones too."""
        total = 0
        for process in self._processes.values():
            for pid in self._family(process.pid):
                fields = stat_fields(pid)
                total += sum(int(fields[i]) for i in (11, 12, 13, 14))
        return total / TICK

    def memory_kib(self):
        found = {}
        for name, process in self._processes.items():
            pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
            found[name] = int(pages) * os.sysconf("SC_PAGE_SIZE") // 1024
        return found


class Ways:
    """Starts the wanted ways (all without `wanted`), and ends them with the block."""

    def __init__(self, folder, load, adit, wanted):
        self._folder = folder
        self._adit = adit
        self._wanted = wanted
        self._started = []
        self._environment = {"PATH": PATH, "HOME": str(folder), "LANG": "C.UTF-8",
                             "XDG_CONFIG_HOME": str(folder / "config")}
        serving = self._start([load, "serve"], stdout=subprocess.PIPE)
        self._target = int(serving.stdout.readline())

    def __enter__(self):
        makers = {"no tunnel": lambda name: Way(name, self._target,
                                                app=(self._target, "localhost", "")),
                  "ssh -L, default cipher": self._ssh,
                  "ssh -L, aes128-gcm": lambda name: self._ssh(name, "aes128-gcm@openssh.com"),
                  "adit relayed": self._adit_relayed}
        try:
            return [make(name) for name, make in makers.items()
                    if not self._wanted or name in self._wanted]
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        for process in reversed(self._started):
            process.terminate()
        for process in reversed(self._started):
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, argv, **options):
        options.setdefault("stderr", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        process = subprocess.Popen([str(arg) for arg in argv], stdin=subprocess.DEVNULL,
                                   env=self._environment, **options)
        self._started.append(process)
        return process

    def _keys(self):
        for name in ("host", "user"):
            path = self._folder / name
            if not path.exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path],
                               check=True, env=self._environment)
        authorized = self._folder / "authorized_keys"
        authorized.write_bytes((self._folder / "user.pub").read_bytes())
        return authorized

    def _ssh(self, name, cipher=None):
        authorized = self._keys()
        daemon_port, port = free_port(), free_port()
        config = self._folder / f"sshd-{daemon_port}"
        config.write_text(f"ListenAddress 127.0.0.1\nPort {daemon_port}\nUsePAM no\n"
                          f"HostKey {self._folder}/host\nAuthorizedKeysFile {authorized}\n"
                          "StrictModes no\nPidFile none\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        daemon = self._start(["/usr/sbin/sshd", "-D", "-f", config])
        wait_until(lambda: answers(daemon_port), "sshd listens")
        client = self._start(
            ["ssh", "-N", "-F", "none", "-p", daemon_port, "-i", self._folder / "user",
             "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
             *(["-c", cipher] if cipher else []),
             "-L", f"127.0.0.1:{port}:127.0.0.1:{self._target}",
             f"{getpass.getuser()}@127.0.0.1"])
        wait_until(lambda: answers(port), "ssh -L listens")
        return Way(name, port, {"sshd": daemon, "ssh": client})

    def _adit_run(self, *args, stdin=None):
        return subprocess.run([str(self._adit), *map(str, args)], input=stdin, check=True,
                              env=self._environment, stdout=subprocess.PIPE, text=True).stdout

    def _adit_relayed(self, name):
        ready, token = self._folder / "ready.json", self._folder / "token"
        port = free_port()
        server = self._start([self._adit, "server", "--listen", "127.0.0.1:0", "--data-dir",
                              self._folder / "data", "--ready-file", ready, "--drain-timeout",
                              "1s"])
        wait_until(lambda: ready.exists() and ready.read_text().endswith("\n"),
                   "the server listens")
        url = json.loads(ready.read_text())["url"]
        self._adit_run("login", url, "--username", "bench", "--password-stdin", "--first-user",
                       stdin=secrets.token_urlsafe(16) + "\n")
        self._adit_run("create", "bench", "--token-file", token)
        agent = self._start([self._adit, "agent", "--url", url, "--token-file", token])
        client = self._start([self._adit, "port-forward", "bench", "--tcp",
                              f"127.0.0.1:{port}:{self._target}", "--wait=20", "--output", "json"],
                             stdout=subprocess.PIPE)
        while "\"ready\"" not in (line := client.stdout.readline().decode()):
            if not line:
                raise RuntimeError("adit port-forward ended")
        # Its events must be read, or it would wait for us.
        subprocess.Popen(["cat"], stdin=client.stdout, stdout=subprocess.DEVNULL)
        return Way(name, port, {"server": server, "agent": agent, "command": client},
                   self._app(url))

    def _app(self, url):
        """The load's server as an app: where it answers, with a ticket for it."""
        token = json.loads(self._adit_run("tokens", "create", "bench", "--output", "json"))["token"]
        front = int(url.rsplit(":", 1)[1])
        host = f"{self._target}--main--bench--bench.localhost:{front}"
        connection = http.client.HTTPConnection("127.0.0.1", front, timeout=START_LIMIT_S)
        connection.putrequest("GET", "/", skip_host=True)
        connection.putheader("Host", host)
        connection.putheader("Adit-Session-Token", token)
        connection.endheaders()
        answer = connection.getresponse()
        if answer.read() != b"ok":
            raise RuntimeError(f"the app proxy answered {answer.status}")
        ticket = answer.headers["Set-Cookie"].split(";")[0]
        connection.close()
        return front, host, ticket
