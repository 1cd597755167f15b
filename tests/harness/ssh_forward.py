"""Forwards of `adit ssh`: the stock client, with a workspace at the other end."""
import signal
import socket
import struct
import subprocess
from pathlib import Path

from . import net
from .adit import PROGRAM, clean_environment
from .wait import SCALE, until


def sshds(agent):
    """The process ids of the sshds that an agent has started. (Once somebody has logged in, their
    command lines say nothing of where they came from.)"""
    tasks = Path(f"/proc/{agent.pid}/task").glob("*/children")
    children = b" ".join(read_if_there(each) for each in tasks).split()
    return [pid for pid in map(int, children) if is_running(pid, b"sshd")]


def is_running(pid, name):
    """Whether the process is there, and that program. One that nobody has waited for is not."""
    return name in read_if_there(Path(f"/proc/{pid}/cmdline"))


def read_if_there(file):
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


class SshForwards:
    """The SSH connections of one person to one workspace."""

    def __init__(self, workspace, supervisor):
        self.workspace = workspace
        self.supervisor = supervisor

    def run(self, *args, **options):
        """Runs `adit ssh` to its end; see Cli.run()."""
        return self.workspace.owner.run("ssh", self.workspace.name, *args, **options)

    def start(self, *args):
        """Starts `adit ssh`, which goes on until it is stopped: by SIGKILL, because ssh looks for
        signals before it waits and so may miss one that comes in between."""
        home = self.workspace.owner.home
        return self.supervisor.start(
            "ssh", [PROGRAM, "ssh", self.workspace.name, *args], cwd=home,
            good_codes=(0, 255, -signal.SIGKILL),
            stop_signal=signal.SIGKILL, env=clean_environment(home))

    def forward(self, *args):
        """As start(), without a session; returns once it has logged in and all remote forwards are
        there."""
        running = self.start("-N", "-v", "-o", "ExitOnForwardFailure=yes", *args)
        running.wait_line("all expected forwarding replies received" if "-R" in args
                          else "Entering interactive session", timeout=20, stream="err")
        return running

    def master(self, *args):
        """A connection that others share; see Master."""
        return Master(self, *args)


class Master:
    """A multiplexing master: forwards come and go while it runs."""

    def __init__(self, ssh, *args):
        home = ssh.workspace.owner.home
        self.path = home / f"m{next(net.COUNTER)}"
        self.environment = clean_environment(home)
        self.process = ssh.start("-N", "-M", "-S", str(self.path), *args)
        until(self.path.exists, "the master is there", 20)

    def control(self, *args, code=0):
        """`ssh -O ...`; returns what it prints."""
        run = subprocess.run(["ssh", "-S", str(self.path), *args, "unused"], check=False,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=self.environment, timeout=20 * SCALE)
        assert code is None or run.returncode == code, run.stderr
        return run.stdout.strip()

    def ask(self, spec, code=0):
        """A remote forward; returns its port when 0 was asked for. Cancelled by the same text."""
        return self.control("-O", "forward", "-R", spec, code=code)

    def cancel(self, spec):
        self.control("-O", "cancel", "-R", spec)


def socks(proxy_port, version, host, port, data):
    """Sends data through a SOCKS proxy on loopback, and returns what comes back. Version 4 takes an
    address, "4a" a name, 5 either."""
    with socket.create_connection(("127.0.0.1", proxy_port), timeout=20) as connection:
        stream = connection.makefile("rwb")
        if version == 5:
            stream.write(b"\x05\x01\x00" + b"\x05\x01\x00" + _address(host)
                         + struct.pack(">H", port))
            stream.flush()
            assert stream.read(2) == b"\x05\x00"
            head = stream.read(4)
            if not head:
                raise ConnectionResetError("the proxy closed the connection")
            assert head[:2] == b"\x05\x00", head
            length = {1: 4, 4: 16}.get(head[3]) or stream.read(1)[0]
            stream.read(length + 2)
        else:
            named = version == "4a"
            address = b"\0\0\0\1" if named else socket.inet_aton(host)
            stream.write(b"\x04\x01" + struct.pack(">H", port) + address + b"me\0"
                         + (host.encode() + b"\0" if named else b""))
            stream.flush()
            assert stream.read(8)[:2] == b"\x00\x5a"
        stream.write(data)
        stream.flush()
        connection.shutdown(socket.SHUT_WR)
        return stream.read()


def _address(host):
    if ":" in host:
        return b"\x04" + socket.inet_pton(socket.AF_INET6, host)
    try:
        return b"\x01" + socket.inet_aton(host)
    except OSError:
        return b"\x03" + bytes([len(host)]) + host.encode()
