"""The ways to reach a port of another machine, each started as its users start it."""
import getpass
import os
import subprocess

from deployment import Deployment
from machine import answers, cpu_seconds, free_port, resident_kib, wait_until


class Way:
    """A started way: where to connect, and its processes by their names.

    `middle` are those that stand between the two ends (a server that relays)."""

    def __init__(self, name, port, processes=(), middle=(), udp_port=None):
        self.name, self.port, self.udp_port = name, port, udp_port
        self.processes, self.middle = dict(processes), middle

    def cpu_seconds(self):
        """Of all, and of those in the middle."""
        used = {name: cpu_seconds([p]) for name, p in self.processes.items()}
        return sum(used.values()), sum(used[name] for name in self.middle)

    def memory_kib(self):
        return {name: resident_kib(process) for name, process in self.processes.items()}


def _no_tunnel(machine, target, name):
    return Way(name, target, udp_port=target)


def _bare(machine, target, name):
    """Two processes that only pass bytes on: what is lost to two hops whatever is done in them."""
    relay = machine.start([machine.bare_program, target], stdout=subprocess.PIPE)
    return Way(name, int(relay.stdout.readline()), {"both": relay})


def _ssh_keys(machine):
    for name in ("host", "user"):
        path = machine.folder / name
        if not path.exists():
            machine.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    authorized = machine.folder / "authorized_keys"
    authorized.write_bytes((machine.folder / "user.pub").read_bytes())
    return authorized


def start_sshd(machine, addr="127.0.0.1", prefix=()):
    """Debian's sshd with its defaults: the process and its port. What is logged in when the line
    between the two ends goes away hears nothing of it, so it asks when it has heard nothing for
    15 s, and ends."""
    port = free_port()
    config = machine.folder / f"sshd-{port}"
    config.write_text(f"ListenAddress {addr}\nPort {port}\nUsePAM no\n"
                      f"HostKey {machine.folder}/host\nAuthorizedKeysFile {_ssh_keys(machine)}\n"
                      "StrictModes no\nPidFile none\nClientAliveInterval 15\n")
    if os.geteuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
    return machine.start([*prefix, "/usr/sbin/sshd", "-D", "-f", config]), port


def ssh_argv(machine, addr, port, cipher=None):
    return ["ssh", "-F", "none", "-p", str(port), "-i", str(machine.folder / "user"),
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "-o", "LogLevel=ERROR", *(["-c", cipher] if cipher else []),
            f"{getpass.getuser()}@{addr}"]


def start_ssh_forward(machine, target, cipher=None, addr="127.0.0.1", near=(), far=()):
    """`ssh -L`: its processes, and the port that leads to addr:target."""
    daemon, daemon_port = start_sshd(machine, addr, far)
    port = free_port()
    if not far:
        wait_until(lambda: answers(daemon_port), "sshd listens")
    argv = ssh_argv(machine, addr, daemon_port, cipher)
    client = machine.start([*near, argv[0], "-N", "-o", "ConnectionAttempts=10", "-L",
                            f"127.0.0.1:{port}:{addr}:{target}", *argv[1:]])
    return {"sshd": daemon, "ssh": client}, port


def _ssh(cipher):
    def start(machine, target, name):
        processes, port = start_ssh_forward(machine, target, cipher)
        wait_until(lambda: answers(port), "ssh -L listens")
        return Way(name, port, processes)
    return start


HAPROXY = """global
  maxconn 4000
  ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen leg
  bind 127.0.0.1:{listen}
  server next 127.0.0.1:{to}
"""


def _haproxy(machine, target, name):
    """Two processes with as many threads as processors, their default, and TLS 1.3 between."""
    near, far, processes = free_port(), free_port(), {}
    for leg, text in (("far", HAPROXY.format(listen=f"{far} ssl crt {machine.pem}", to=target)),
                      ("near", HAPROXY.format(listen=near,
                                              to=f"{far} ssl verify none force-tlsv13"))):
        config = machine.folder / f"haproxy-{leg}.cfg"
        config.write_text(text)
        processes[leg] = machine.start(["haproxy", "-db", "-q", "-f", config])
        wait_until(lambda: answers(far if leg == "far" else near), "haproxy listens")
    return Way(name, near, processes)


STUNNEL = """foreground = yes
pid =
debug = 3
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
[leg]
accept = 127.0.0.1:{listen}
connect = 127.0.0.1:{to}
{more}
"""


def _stunnel(machine, target, name):
    near, far, processes = free_port(), free_port(), {}
    for leg, text in (
            ("far", STUNNEL.format(listen=far, to=target, more=f"cert = {machine.pem}")),
            ("near", STUNNEL.format(listen=near, to=far, more="client = yes"))):
        config = machine.folder / f"stunnel-{leg}.conf"
        config.write_text(text)
        processes[leg] = machine.start(["stunnel4", config])
        wait_until(lambda: answers(far if leg == "far" else near), "stunnel listens")
    return Way(name, near, processes)


def _adit(path):
    def start(machine, target, name):
        deployment = Deployment(machine, name)
        deployment.start_agent(path)
        port, udp_port = free_port(), free_port()
        command = deployment.forward(path, "--tcp", f"127.0.0.1:{port}:{target}",
                                     "--udp", f"127.0.0.1:{udp_port}:{target}")
        return Way(name, port, {"server": deployment.server, "agent": deployment.agent,
                                "command": command}, ("server",), udp_port)
    return start


# What a way is called -> how it is started; in the order of the table.
WAYS = {
    "no tunnel": _no_tunnel,
    "bare relay": _bare,
    "ssh -L, default cipher": _ssh(None),
    "ssh -L, aes128-gcm": _ssh("aes128-gcm@openssh.com"),
    "HAProxy pair, TLS 1.3": _haproxy,
    "stunnel pair": _stunnel,
    "adit direct": _adit("direct"),
    "adit relayed, bulk lane": _adit("relayed, bulk lane"),
    "adit relayed, session": _adit("relayed, session"),
}


def start_all(machine, target, wanted=None):
    return [start(machine, target, name) for name, start in WAYS.items()
            if not wanted or any(part in name for part in wanted)]
