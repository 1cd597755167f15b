"""What SSH leaves on record, as `adit audit` shows it."""
import os
import signal

import pytest

from harness import net
from harness.adit import PROGRAM, clean_environment
from harness.wait import until

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def workspace(deployment):
    """One that no other test leaves anything on record for."""
    return deployment.workspace()


@pytest.fixture
def start(workspace, supervisor):
    """Starts `adit ssh`, which goes on until it is stopped (ssh then ends with 255)."""
    def run(*args):
        return supervisor.start(
            "ssh", [PROGRAM, "ssh", workspace.name, *args], cwd=workspace.owner.home,
            good_codes=(0, 255, -signal.SIGKILL), env=clean_environment(workspace.owner.home))
    return run


def events(workspace, action, target=None):
    found = workspace.owner.run("audit", "--action", action, "--workspace", workspace.name,
                                "--limit", "1000", "--output", "json").json()
    return [each for each in found if target is None or each["target"] == target]


def recorded(workspace, action, target):
    """The newest record of that action about this target, once it is there."""
    return until(lambda: events(workspace, action, target), f"{action} {target} is on record")[0]


def test_a_session_and_what_runs_in_it_are_on_record(workspace):
    before = len(events(workspace, "ssh_close"))
    workspace.owner.run("ssh", workspace.name, "exit 3", code=3)
    until(lambda: len(events(workspace, "ssh_close")) > before, "the end is on record")
    opened, closed = events(workspace, "ssh_open")[0], events(workspace, "ssh_close")[0]
    began, ended = recorded(workspace, "ssh_exec", "command"), recorded(workspace, "ssh_exit",
                                                                        "command")
    for each in (opened, closed, began, ended):
        assert each["actor"] == workspace.owner.name and each["agent"] == "main"
        assert each["result"] == "ok" and each["ip"]
    assert closed["duration_ms"] >= ended["duration_ms"] >= 0
    assert closed["duration_ms"] > 0
    assert opened["time"] <= began["time"] <= ended["time"] <= closed["time"]


def test_a_reverse_forward_and_its_connections_are_on_record(workspace, start, tcp_echo):
    port = net.free_port()
    running = start("-N", "-R", f"{port}:{HOST}:{tcp_echo.port}")
    until(lambda: net.listens(port), "the listener is there", 20)
    net.exchange((HOST, port), b"through")
    running.stop(signal.SIGTERM)
    asked = recorded(workspace, "ssh_listen_ask", f"localhost:{port}")
    bound = recorded(workspace, "ssh_listen_open", f"{HOST}:{port}")
    six = recorded(workspace, "ssh_listen_open", f"[::1]:{port}")
    opened = recorded(workspace, "ssh_forward_open", f"localhost:{port}")
    closed = recorded(workspace, "ssh_forward_close", f"localhost:{port}")
    gone = recorded(workspace, "ssh_listen_close", f"{HOST}:{port}")
    for each in (asked, bound, six, opened, closed, gone):
        assert (each["actor"], each["direction"], each["result"]) == (workspace.owner.name,
                                                                      "remote", "ok")
    assert bound["detail"] == f"asked for localhost:{port}"
    assert closed["detail"].startswith(f"from {HOST}:") and closed["duration_ms"] >= 0
    assert gone["duration_ms"] >= closed["duration_ms"]


