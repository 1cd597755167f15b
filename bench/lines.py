"""One stream on a long line: two network namespaces, and a program of ours that delays the packets
between them. What is near (the person's commands) and far (server, agent, target) is that line's
length apart; the windows that matter are those of TCP and of the tunnel."""
import os
import subprocess
import sys

from deployment import Deployment
from machine import PATH, free_port, wait_until
import ways

MBIT = 500
# Title -> delay one way in ms, loss in %, ms that a stream runs, and of them until it counts.
LINES = {"20 ms": (10, 0, 1600, 800), "100 ms": (50, 0, 5500, 4000),
         "20 ms, 1 % lost": (10, 1, 1600, 800)}
MOST_ROUNDS = 3  # each takes a minute and a half
NEAR_IP, FAR_IP, DEVICE = "10.77.0.1", "10.77.0.2", "line0"
# The kernel's own limit, 6 MiB, is less than such a line holds: it would hide the tunnels'.
BUFFERS = {"tcp_rmem": "4096 131072 33554432", "tcp_wmem": "4096 16384 33554432"}


class Line:
    """A near and a far namespace with a line between them, for the block."""

    def __init__(self, machine, delay_ms, loss_percent):
        self._machine = machine
        self._names = [f"adit-bench-{os.getpid()}-{side}" for side in ("near", "far")]
        self.near, self.far = ([*"ip netns exec".split(), name] for name in self._names)
        for name in self._names:
            self._ip("netns", "add", name)
        self._program = machine.start([machine.delay_program, *self._names, DEVICE, delay_ms, MBIT,
                                       loss_percent], stdout=subprocess.PIPE)
        self._program.stdout.readline()
        for name, ip in zip(self._names, (NEAR_IP, FAR_IP)):
            self._ip("-n", name, "link", "set", "lo", "up")
            self._ip("-n", name, "addr", "add", f"{ip}/24", "dev", DEVICE)
            self._ip("-n", name, "link", "set", DEVICE, "up", "txqueuelen", "10000")
            for key, value in BUFFERS.items():
                self._ip("netns", "exec", name, "sysctl", "-q", "-w", f"net.ipv4.{key}={value}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._machine.stop(self._program)
        for name in self._names:
            self._ip("netns", "del", name)

    @staticmethod
    def _ip(*args):
        subprocess.run(["ip", *map(str, args)], check=True, env={"PATH": PATH})


def _start_adit(machine, line, path, target, name):
    deployment = Deployment(machine, name, FAR_IP, line.far, line.near)
    deployment.start_agent(path)
    port = free_port()
    command = deployment.forward(path, "--tcp", f"127.0.0.1:{port}:{FAR_IP}:{target}")
    return [deployment.server, deployment.agent, command], f"127.0.0.1:{port}"


def _start_ssh(machine, line, target):
    processes, port = ways.start_ssh_forward(machine, target, "aes128-gcm@openssh.com", FAR_IP,
                                             line.near, line.far)
    return list(processes.values()), f"127.0.0.1:{port}"


def _rate(machine, line, where, action, times):
    took = machine.load(action, where, *times, prefix=line.near)
    return took["amount"] * 8 / 1e6 / took["seconds"]


def _answers(machine, line, where):
    try:
        machine.load("pingpong", where, 1, prefix=line.near)
        return True
    except RuntimeError:
        return False


def _one_line(machine, options, title, delay_ms, loss, *times):
    if options.quick:
        times = (1000, 500)
    with Line(machine, delay_ms, loss) as line:
        server, target = machine.serve(FAR_IP, line.far)
        started = {"no tunnel": ([], f"{FAR_IP}:{target}"),
                   "ssh -L, aes128-gcm": _start_ssh(machine, line, target)}
        for path in ("direct", "relayed, bulk lane", "relayed, session"):
            started[f"adit {path}"] = _start_adit(machine, line, path, target,
                                                  f"line {title} {path}".replace(" %", ""))
        for name, (_, where) in started.items():
            wait_until(lambda where=where: _answers(machine, line, where), f"{name} works")
        rounds = {name: [] for name in started}
        for number in range(min(options.repeat, MOST_ROUNDS)):
            for name, (_, where) in started.items():
                print(f"lines {title} {number + 1}: {name}", file=sys.stderr)
                rounds[name].append({"down": _rate(machine, line, where, "timed", times),
                                     "up": _rate(machine, line, where, "timed-up", times)})
        machine.stop(server, *(p for processes, _ in started.values() for p in processes))
    return rounds


def measure(machine, options):
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        return {"skipped": "Not measured: needs root and /dev/net/tun."}
    return {"mbit": MBIT, "lines": {
        title: _one_line(machine, options, title, *line) for title, line in LINES.items()}}
