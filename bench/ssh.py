"""SSH into a workspace beside ssh to Debian's sshd over TCP: one session that sends or takes much,
a log-in, connections that come back through `-R`, and what a connection that does nothing holds in
memory.

Both use the stock client and the same key exchange. Throughput comes twice: with the same cipher on
both sides, and with the one that each takes by itself, which the report names.
"""
import getpass
import os
import re
import subprocess
import time

from deployment import PATHS, Deployment
from machine import answers, cpu_seconds, free_port, resident_kib, wait_until

SAME, OWN = "same cipher", "own default cipher"
SAME_CIPHER = "aes128-gcm@openssh.com"
CIPHERS = {SAME: ["-c", SAME_CIPHER], OWN: []}
BLOCK = bytes(1 << 20)
LOGINS = 3
# Connections through -R, one after the other and 50 at once. Over TCP sshd makes each wait for
# 40 ms until a session was open: a few are enough to tell.
REVERSE, REVERSE_AT_ONCE, REVERSE_TRIED, REVERSE_SLOW_S = 3000, 5000, 100, 200
ROWS = [
    *((f"{way}_gib_s_{cipher}", f"{word}, {cipher}, GiB/s") for cipher in CIPHERS
      for way, word in (("down", "download"), ("up", "upload"))),
    *((f"{way}_cpu_{cipher}", f"CPU seconds a GiB {way}, {cipher}, all processes")
      for cipher in CIPHERS for way in ("down", "up")),
    ("reverse_s", "-R: connections a second, one after the other"),
    ("reverse50_s", "-R: connections a second, 50 at once"),
    ("login_s", "log-in and a command, seconds"),
    ("connection_mib", "a connection that does nothing, all processes, MiB"),
]


class Way:
    """How to start ssh there, and who works for it beside ssh and its children."""

    def __init__(self, machine, argv, environment, servants):
        self._machine, self._argv, self._environment = machine, argv, environment
        self._servants = servants

    def start(self, options, command):
        return self._machine.start([*self._argv, *options, command], env=self._environment,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    def _measured(self, size, options, command, move):
        """From the moment the command runs to the moment it has done: GiB/s and CPU s/GiB."""
        running = self.start(options, command)
        if running.stdout.read(1) != b"\n":
            raise RuntimeError("ssh did not log in")
        everyone = [*self._servants, running]
        used, begin = cpu_seconds(everyone), time.monotonic()
        move(running)
        took, used = time.monotonic() - begin, cpu_seconds(everyone) - used
        running.stdin.close()
        running.wait()
        return size / 2**30 / took, used / (size / 2**30)

    def down(self, size, options):
        def move(running):
            room, left = bytearray(1 << 20), size
            while left > 0:
                count = running.stdout.readinto(room)
                if not count:
                    raise RuntimeError("ssh ended early")
                left -= count
        return self._measured(size, options, f"echo; head -c {size} /dev/zero; read end", move)

    def up(self, size, options):
        def move(running):
            for _ in range(size // len(BLOCK)):
                left = memoryview(BLOCK)
                while left:
                    left = left[running.stdin.write(left):]
            if running.stdout.read(1) != b"\n":
                raise RuntimeError("ssh ended early")
        return self._measured(
            size, options, f"echo; head -c {size} >/dev/null; echo; read end", move)

    def default_cipher(self):
        running = self._machine.start([*self._argv, "-v", "true"], env=self._environment,
                                      stderr=subprocess.PIPE)
        said = running.stderr.read().decode()
        running.wait()
        return re.search(r"kex: server->client cipher: (\S+)", said).group(1)

    def login_s(self):
        begin = time.monotonic()
        for _ in range(LOGINS):
            running = self.start([], "true")
            running.stdin.close()
            if running.wait() != 0:
                raise RuntimeError("ssh did not log in")
        return (time.monotonic() - begin) / LOGINS

    def reverse(self, target, quick):
        """New connections a second through a listener of -R -N, in turn and 50 at once."""
        port = free_port()
        running = self.start(["-N", "-R", f"127.0.0.1:{port}:127.0.0.1:{target}"], "")
        wait_until(lambda: answers(port), "ssh -R listens")

        def rate(count, parallel):
            took = self._machine.load("connect", port, count, parallel)
            return took["amount"] / took["seconds"]
        found = {"reverse_s": rate(REVERSE_TRIED, 1)}
        if found["reverse_s"] > REVERSE_SLOW_S and not quick:
            found["reverse_s"] = rate(REVERSE, 1)
        found["reverse50_s"] = rate(REVERSE_AT_ONCE // (10 if quick else 1), 50)
        self._machine.stop(running)
        return found

    def connection_mib(self):
        before = sum(map(resident_kib, self._servants))
        running = self.start(["-N", "-o", "PermitLocalCommand=yes", "-o", "LocalCommand=echo"], "")
        running.stdout.read(1)
        after = sum(map(resident_kib, [*self._servants, running]))
        self._machine.stop(running)
        return (after - before) / 1024

    def measure(self, size, target, quick):
        found = self.reverse(target, quick)
        for cipher, options in CIPHERS.items():
            for name, move in (("down", self.down), ("up", self.up)):
                speed, cpu = move(size, options)
                found[f"{name}_gib_s_{cipher}"], found[f"{name}_cpu_{cipher}"] = speed, cpu
        found["login_s"] = self.login_s()
        found["connection_mib"] = self.connection_mib()
        return found


def plain(machine):
    """Debian's sshd on a port, and ssh."""
    for name in ("ssh-host", "ssh-user"):
        machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", machine.folder / name)
    port, config = free_port(), machine.folder / "sshd_config"
    config.write_text(f"ListenAddress 127.0.0.1\nPort {port}\nUsePAM no\nStrictModes no\n"
                      f"HostKey {machine.folder}/ssh-host\nPidFile none\n"
                      f"AuthorizedKeysFile {machine.folder}/ssh-user.pub\n"
                      "Subsystem sftp internal-sftp\n")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    daemon = machine.start(["/usr/sbin/sshd", "-D", "-f", config])
    wait_until(lambda: answers(port), "sshd listens")
    argv = ["ssh", "-F", "none", "-p", port, "-i", machine.folder / "ssh-user", "-o",
            "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
            "KexAlgorithms=curve25519-sha256", f"{getpass.getuser()}@127.0.0.1"]
    return Way(machine, argv, {}, [daemon])


def through_adit(machine, path):
    deployment = Deployment(machine, f"ssh {path}")
    deployment.start_agent(path)
    argv = [machine.adit, "ssh", "--ca-file", machine.cert, "bench", "-F", "none"]
    environment = {**deployment.environment, **PATHS[path][2]}
    return Way(machine, argv, environment, [deployment.server, deployment.agent])


def measure(machine, options):
    size = (64 << 20) if options.quick else (1 << 30)
    server, target = machine.serve()
    makers = {"ssh to sshd": plain}
    makers |= {f"adit ssh, {path}": lambda m, path=path: through_adit(m, path) for path in PATHS}
    ways = {name: make(machine) for name, make in makers.items()
            if not options.ways or any(word in name for word in options.ways)}
    ciphers = {name: way.default_cipher() for name, way in ways.items()}
    rounds = {name: [] for name in ways}
    for _ in range(options.repeat):
        for name, way in ways.items():
            rounds[name].append(way.measure(size, target, options.quick))
    machine.stop(server)
    return {"rounds": rounds, "rows": ROWS, "same_cipher": SAME_CIPHER, "own_ciphers": ciphers}
