"""What `adit port-forward` says and how it exits when something is wrong."""
import json
import socket

import pytest

from harness import net
from harness.adit import Cli

DRY = ["port-forward", "dev", "--dry-run", "--output", "json"]


def dry(cli, *args):
    return cli.run(*DRY, *args).json_lines()


def fields(*values):
    return dict(zip(("network", "bind", "local", "host", "remote"), values))


@pytest.mark.parametrize("args, expected", [
    (["--tcp", "1"], [("tcp", None, 1, "127.0.0.1", 1)]),
    (["--tcp", "65535"], [("tcp", None, 65535, "127.0.0.1", 65535)]),
    (["-p", "65534-65535:1-2"], [("tcp", None, 65534, "127.0.0.1", 1),
                                 ("tcp", None, 65535, "127.0.0.1", 2)]),
    (["--udp", "5353:10.0.0.2:53"], [("udp", None, 5353, "10.0.0.2", 53)]),
    (["--tcp", "[::1]:8080:[fe80::1]:80"], [("tcp", "::1", 8080, "fe80::1", 80)]),
    (["--tcp", "*:80:db.corp:5432"], [("tcp", "*", 80, "db.corp", 5432)]),
    (["--tcp", "127.0.0.1:80"], [("tcp", "127.0.0.1", 80, "127.0.0.1", 80)]),
    (["-L", "/a:/b"], [("unix", None, "/a", None, "/b")]),
    (["-D", "1080", "--tcp", "80"], [("tcp", None, 1080, None, None),
                                     ("tcp", None, 80, "127.0.0.1", 80)]),
    (["-R", "0:localhost:80"], [("tcp", None, 0, "localhost", 80)]),
])
def test_a_dry_run_prints_the_forwards_in_order(args, expected, cli):
    assert dry(cli, *args) == [fields(*each) for each in expected]


@pytest.mark.parametrize("args, named", [
    (["--tcp", "0"], "0"), (["--tcp", "65536"], "65536"), (["--tcp", "65530-65536"], "65536"),
    (["--tcp", "80-70"], "80-70"), (["--tcp", "80-90:80-91"], "80-90:80-91"),
    (["--tcp", "80,80"], "80"), (["--tcp", "80", "-p", "80:81"], "80"),
    (["--tcp", ""], '""'), (["--tcp", "80,,81"], "80,,81"), (["--tcp", "80:"], "80:"),
    (["--tcp", "::1:80:80"], "::1:80:80"), (["--tcp", "name:80:80:80"], "name"),
    (["--udp", "80x"], "80x"), (["-L", "80"], "80"), (["-D", "x"], "x"), (["-R", ""], '""'),
    ([], "--tcp"),
])
def test_a_wrong_spec_exits_with_2_and_opens_nothing(args, named, cli):
    port = net.free_port()
    for more in ([], ["--dry-run"]):
        done = cli.run("port-forward", "dev", "--tcp" if args else "--auto-port",
                       *([port] if args else []), *args, *more, code=2)
        assert done.out == ""
        assert done.err.startswith("adit: ") and named in done.err.splitlines()[0]
    assert not net.listens(port)


def test_not_logged_in_says_how_to(cli):
    done = cli.run("port-forward", "dev", "--tcp", net.free_port(), code=3)
    assert done.err == "adit: not logged in\nhint: log in with: adit login URL\n"


def test_a_wrong_token_is_told(deployment, cli):
    done = cli.run("port-forward", "dev", "--tcp", net.free_port(), code=3,
                   env={"ADIT_URL": deployment.url, "ADIT_TOKEN": "adit_wrong"})
    assert len(done.err.splitlines()) == 2
    assert f"the token in ADIT_TOKEN for {deployment.url} is not valid" in done.err
    assert "hint: make one where you are logged in: adit tokens create" in done.err
    assert "adit_wrong" not in done.err + done.out


def test_an_api_token_does_without_a_login(deployment, workspace, supervisor, tmp_path, tcp_echo):
    token = workspace.owner.run("tokens", "create", "forwards").out.strip()
    mine = Cli(supervisor, tmp_path / "program")
    port = net.free_port()
    mine.forward(workspace.name, "--tcp", f"{port}:{tcp_echo.port}",
                 env={"ADIT_URL": deployment.url, "ADIT_TOKEN": token})
    assert net.exchange(("127.0.0.1", port), b"token") == b"token"


def test_nobody_learns_whether_a_strangers_workspace_exists(deployment, workspace, person):
    port = net.free_port()
    owner = workspace.owner.name
    answers = []
    for ref in (f"{owner}/{workspace.name}", f"{owner}/no-such-thing", "nobody-here/some-other"):
        done = person.run("port-forward", ref, "--tcp", port, code=None)
        assert done.code in (1, 3)
        answers.append((done.code, done.err.replace(ref, "REF")))
    assert len(set(answers)) == 1, answers


def test_an_unknown_agent_is_told_with_the_known_ones(workspace):
    done = workspace.owner.run("port-forward", f"{workspace.name}.gpu", "--tcp", net.free_port(),
                               code=1)
    assert "no agent 'gpu'" in done.err and "main" in done.err


def test_wait_gives_up_with_exit_code_4(deployment):
    away = deployment.workspace(agent=False)
    done = away.owner.run("port-forward", away.name, "--tcp", net.free_port(), "--wait=1", code=4)
    assert f"{away.name} was not reachable within 1 s" in done.err


def test_wait_goes_on_once_the_agent_is_there(deployment, supervisor, tcp_echo):
    late = deployment.workspace(agent=False)
    mine = Cli(supervisor, late.owner.home, late.owner.name)
    port = net.free_port()
    process = mine.start("port-forward", late.name, "--tcp", f"{port}:{tcp_echo.port}",
                         "--wait=60", "--output", "json")
    process.wait_event(event="waiting")
    late.start_agent()
    process.wait_event(event="ready")
    assert net.exchange(("127.0.0.1", port), b"late") == b"late"


def test_with_the_server_away_it_says_what_it_waits_for(own_deployment, supervisor, tcp_echo):
    workspace = own_deployment.workspace()
    own_deployment.crash()
    mine = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    port = net.free_port()
    process = mine.start("port-forward", workspace.name, "--tcp", f"{port}:{tcp_echo.port}")
    process.wait_line(rf"waiting for {workspace.name}: .*refused")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(b"early")
        connection.settimeout(20)
        own_deployment.start()
        assert connection.recv(5) == b"early"
    assert process.running


def test_an_event_is_one_json_object_a_line(forward, tcp_echo):
    port = net.free_port()
    running = forward("--tcp", f"{port}:{tcp_echo.port}")
    net.exchange(("127.0.0.1", port), b"x" * 1000)
    closed = running.wait_event("connection_closed")
    assert closed["received"] == closed["sent"] == 1000 and closed["connection"] == 1
    for line in running.process.text("out").splitlines():
        event = json.loads(line)
        assert list(event)[:2] == ["time", "event"] and event["time"].endswith("Z")
