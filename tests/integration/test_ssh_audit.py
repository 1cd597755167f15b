"""What SSH leaves on record, as `adit audit` shows it."""
import socket

import pytest

from harness import net
from harness.ssh_forward import SshForwards
from harness.wait import until

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def workspace(deployment):
    """One that no other test leaves anything on record for."""
    return deployment.workspace()


@pytest.fixture
def ssh(workspace, supervisor):
    return SshForwards(workspace, supervisor)


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


def test_a_reverse_forward_and_its_connections_are_on_record(workspace, ssh, tcp_echo):
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    net.exchange((HOST, port), b"through")
    running.stop()
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


def test_a_connection_into_the_workspace_is_on_record(workspace, ssh, tcp_echo):
    port, target = net.free_port(), f"{HOST}:{tcp_echo.port}"
    running = ssh.forward("-L", f"{port}:{target}")
    net.exchange((HOST, port), b"through")
    running.stop()
    opened = recorded(workspace, "ssh_forward_open", target)
    closed = recorded(workspace, "ssh_forward_close", target)
    for each in (opened, closed):
        assert (each["actor"], each["direction"], each["result"]) == (workspace.owner.name,
                                                                      "local", "ok")
        assert each["detail"].startswith(f"from {HOST}:") and each["path"] in ("relay", "direct")


def test_a_target_that_refuses_is_on_record(workspace, ssh):
    port = net.free_port()
    ssh.run("-W", f"{HOST}:{port}", code=255)
    refused = recorded(workspace, "ssh_forward_open", f"{HOST}:{port}")
    assert (refused["result"], refused["detail"]) == ("refused", "Connection refused")


def test_a_listener_that_cannot_be_bound_is_on_record(workspace, ssh, tcp_echo):
    ssh.run("-R", f"{HOST}:{tcp_echo.port}:{HOST}:1", "true")
    refused = recorded(workspace, "ssh_listen_open", f"{HOST}:{tcp_echo.port}")
    assert (refused["result"], refused["direction"]) == ("address_in_use", "remote")


def test_a_cancelled_listener_is_on_record(workspace, ssh, tcp_echo):
    master = ssh.master()
    spec = f"{net.free_port()}:{HOST}:{tcp_echo.port}"
    master.ask(spec)
    master.cancel(spec)
    port = spec.split(":", 1)[0]
    recorded(workspace, "ssh_listen_cancel", f"localhost:{port}")
    recorded(workspace, "ssh_listen_close", f"{HOST}:{port}")


def test_a_unix_listener_is_on_record(workspace, ssh, tcp_echo, tmp_path):
    path = str(tmp_path / "socket")
    running = ssh.forward("-R", f"{path}:{HOST}:{tcp_echo.port}")
    net.exchange(path, b"through")
    running.stop()
    for action in ("ssh_listen_ask", "ssh_listen_open", "ssh_forward_open", "ssh_forward_close",
                   "ssh_listen_close"):
        assert recorded(workspace, action, path)["direction"] == "remote"


def test_nothing_of_ordinary_use_is_not_understood(workspace, ssh, tcp_echo):
    before = len(events(workspace, "ssh_close"))
    ssh.run("-tt", "true", stdin="")
    ssh.run("-A", "-o", "SendEnv=LANG", "true")
    ssh.run("-W", f"{HOST}:{tcp_echo.port}", stdin="x")
    ssh.run("-o", "RekeyLimit=1M", "cat", stdin=bytes(3_000_000))
    ssh.run("-s", "sftp", stdin=b"")
    until(lambda: len(events(workspace, "ssh_close")) >= before + 5, "all ends are on record")
    assert [each["target"] for each in events(workspace, "ssh_raw")] == []


def test_the_table_is_readable(workspace, ssh):
    before = len(events(workspace, "ssh_exec"))
    ssh.run("true")
    until(lambda: len(events(workspace, "ssh_exec")) > before, "on record")
    table = workspace.owner.run("audit", "--workspace", workspace.name, "--action", "ssh_exec").out
    assert table.splitlines()[0].split()[-1] == "DETAIL"
    assert "command" in table.splitlines()[1]


# ---- what is open now ----

@pytest.fixture
def live(deployment, workspace):
    """Asks for the forwards that are open."""
    owner = workspace.owner
    token = owner.run("tokens", "create", deployment.unique("live"),
                      "--output", "json").json()["token"]

    def ask():
        path = f"/workspaces/{owner.name}/{workspace.name}/agents/main/forwards"
        shown = deployment.api(token).get(path).json()["forwards"]
        return {(each["direction"], each["listen"], each["target"]): each for each in shown}
    return ask


def test_what_is_open_over_ssh_is_among_the_forwards(workspace, ssh, live, tcp_echo):
    port = net.free_range(2)
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}", "-L",
                          f"{port + 1}:{HOST}:{tcp_echo.port}")
    listener = ("remote", f"{HOST}:{port}", None)
    until(lambda: listener in live(), "the listener is shown")
    shown = live()[listener]
    assert (shown["user"], shown["path"]) == (workspace.owner.name, "ssh")
    with socket.create_connection((HOST, port + 1), timeout=20) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        until(lambda: ("local", None, f"{HOST}:{tcp_echo.port}") in live(), "it is shown")
    until(lambda: ("local", None, f"{HOST}:{tcp_echo.port}") not in live(), "it is gone")
    running.stop()
    until(lambda: live() == {}, "nothing is open")
