"""Memory is bounded, whatever the other end does or does not do."""
import socket
import threading

from harness import net
from harness.adit import Cli
from harness.wait import SCALE, until

MIB = 1024  # in KiB
# A sanitizer multiplies memory; there these tests only look for a bound at all.
FACTOR = 1 if SCALE == 1 else 8


def test_an_idle_agent_stays_small(own_workspace):
    assert own_workspace.agent.memory_kib() < 8 * MIB * FACTOR


def stuck_send(port, total, sent):
    """Sends until all is out or nobody takes any more."""
    block = bytes(1 << 20)
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.settimeout(3)
        try:
            while sent[0] < total:
                sent[0] += connection.send(block)
        except TimeoutError:
            pass
        sent.append("stopped")
        until(lambda: "end" in sent, "the test's end", timeout=60)


def test_a_reader_that_stops_stops_the_sender(own_workspace, supervisor, tcp_server):
    hold = threading.Event()
    target = tcp_server(lambda connection: hold.wait(90))
    mine = Cli(supervisor, own_workspace.owner.home, own_workspace.owner.name)
    forward = mine.forward(own_workspace.name, "--no-direct", "--tcp",
                           f"{net.free_port()}:{target.port}")
    sent = [0]
    sender = threading.Thread(target=stuck_send, args=(forward.ports[0], 1 << 30, sent))
    sender.start()
    try:
        until(lambda: "stopped" in sent, "the sender stopped", timeout=40)
        assert sent[0] < 1 << 30
        for process in (forward.process, own_workspace.deployment.server, own_workspace.agent):
            assert process.memory_kib("VmHWM") < 64 * MIB * FACTOR, process.name
        # Another connection is not held up by the one that is stuck.
        echo = tcp_server()
        other = mine.forward(own_workspace.name, "--no-direct", "--tcp",
                             f"{net.free_port()}:{echo.port}")
        assert net.exchange(("127.0.0.1", other.ports[0]), b"x" * 100000) == b"x" * 100000
    finally:
        sent.append("end")
        hold.set()
        sender.join()
