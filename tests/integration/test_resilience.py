"""Forwards outlive everything but their own command: the server and the agent may be killed."""
import socket
import threading

import pytest

from harness import net
from harness.adit import Cli, PROGRAM, clean_environment
from harness.wait import until

FORWARDS = 10


def open_ten(workspace, supervisor, echo):
    """A running port-forward with ten listeners; their ports."""
    args = []
    for _ in range(FORWARDS):
        args += ["--tcp", f"{net.free_port()}:{echo.port}"]
    mine = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    return mine.forward(workspace.name, *args)


def works(port):
    try:
        return net.exchange(("127.0.0.1", port), b"through", timeout=5) == b"through"
    except OSError:
        return False


class Knocker:
    """Connects to the ports again and again: a listener that was ever away is noticed."""

    def __init__(self, ports):
        self.ports = ports
        self.refused = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.05):
            for port in self.ports:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                except ConnectionRefusedError:
                    self.refused.append(port)

    def stop(self):
        self._stop.set()
        self._thread.join()
        return self.refused


@pytest.mark.parametrize("victim", ["server", "agent"])
def test_listeners_stay_open_while_a_killed_end_comes_back(victim, own_workspace, supervisor,
                                                           tcp_echo):
    forward = open_ten(own_workspace, supervisor, tcp_echo)
    ports = forward.ports[:]
    assert all(works(port) for port in ports)
    knocker = Knocker(ports)
    if victim == "server":
        own_workspace.deployment.crash()
    else:
        own_workspace.agent.kill()
    assert forward.wait_event("waiting", timeout=20)["reason"]
    if victim == "server":
        own_workspace.deployment.start()
    else:
        home = own_workspace.token_file.parent
        own_workspace.agent = supervisor.start(
            "agent again", [PROGRAM, "agent", "--url", own_workspace.deployment.url,
                            "--token-file", own_workspace.token_file],
            env=clean_environment(home), cwd=home, good_codes=(0,))
    until(lambda: all(works(port) for port in ports), "every forward works again", timeout=5)
    assert knocker.stop() == []


def test_a_connection_made_while_the_server_is_away_is_served_after_its_return(own_workspace,
                                                                               supervisor,
                                                                               tcp_echo):
    forward = open_ten(own_workspace, supervisor, tcp_echo)
    own_workspace.deployment.crash()
    forward.wait_event("waiting")
    with socket.create_connection(("127.0.0.1", forward.ports[0]), timeout=20) as connection:
        connection.sendall(b"patient")
        own_workspace.deployment.start()
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(20)
        assert connection.recv(100) == b"patient"


def test_reverse_forwards_come_back_on_their_port(own_workspace, supervisor, tcp_echo):
    mine = Cli(supervisor, own_workspace.owner.home, own_workspace.owner.name)
    forward = mine.forward(own_workspace.name, "-R", f"0:localhost:{tcp_echo.port}")
    port = forward.ports[0]
    assert works(port)
    own_workspace.deployment.crash()
    own_workspace.deployment.start()
    until(lambda: works(port), "the reverse forward works again", timeout=8)
