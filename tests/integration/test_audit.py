"""The audit record as `adit audit` shows it."""
import csv
import io
import json
import signal
import socket
import time

import pytest

from harness import net
from harness.wait import until

HOST = "127.0.0.1"


def events(person, *filters):
    return person.run("audit", *filters, "--output", "json").json()


def test_a_session_is_on_record_for_its_people_only(deployment, forward, tcp_echo):
    auditor, stranger = deployment.user(role="auditor"), deployment.user()
    port, workspace = net.free_port(), deployment.workspace()
    running = forward("--no-direct", "--tcp", f"{port}:{tcp_echo.port}", target=workspace)
    assert net.exchange((HOST, port), b"on record") == b"on record"
    running.stop()

    owner = workspace.owner
    name = f"{owner.name}/{workspace.name}"
    closed = until(lambda: events(owner, "--action", "peer_close", "--workspace", workspace.name),
                   "the end of the session is on record")[0]
    assert (closed["actor"], closed["workspace"], closed["result"]) == (owner.name, name, "ok")
    assert closed["bytes_in"] > 0 and closed["bytes_out"] > 0 and closed["path"] == "relay"

    assert closed in events(auditor, "--workspace", name)
    assert events(stranger, "--workspace", name) == []
    assert {each["actor"] for each in events(stranger)} == {stranger.name}


def test_the_record_is_a_table_or_csv(person):
    table = person.run("audit", "--action", "login", "--since", "1h").out.splitlines()
    assert table[0].split()[:4] == ["TIME", "(UTC)", "PERSON", "ACTION"]
    assert table[1].split()[2:4] == [person.name, "login"]
    rows = list(csv.DictReader(io.StringIO(
        person.run("audit", "--action", "login", "-o", "csv").out)))
    assert rows and {row["actor"] for row in rows} == {person.name}
    nothing = person.run("audit", "--until", "2001-01-01")
    assert len(nothing.out.splitlines()) == 1 and "nothing on record" in nothing.err


def test_the_newest_come_first_and_a_limit_is_told(workspace):
    few = workspace.owner.run("audit", "--limit", "1", "-o", "json")
    assert len(few.json()) == 1 and "there is more" in few.err
    times = [each["time"] for each in events(workspace.owner, "--action", "workspace_create")]
    assert times == sorted(times, reverse=True)


# ---- forwards ----

def ended(person, workspace, target, action="forward_close"):
    """The newest record about this target, once it is there."""
    def look():
        return [each for each in events(person, "--action", action, "--workspace", workspace.name)
                if each["target"] == target]
    return until(look, f"{action} {target} is on record")[0]


def test_forwards_of_each_kind_are_on_record(workspace, forward, tcp_echo, udp_echo):
    owner = workspace.owner
    tcp, udp = net.free_port(), net.free_port(socket.SOCK_DGRAM)
    running = forward("--no-direct", "--tcp", f"{tcp}:{tcp_echo.port}",
                      "--udp", f"{udp}:{udp_echo.port}", "-R", f"0:localhost:{tcp_echo.port}")
    assert net.exchange((HOST, tcp), b"six bytes?") == b"six bytes?"
    into = ended(owner, workspace, f"127.0.0.1:{tcp_echo.port}")
    assert (into["actor"], into["direction"], into["path"]) == (owner.name, "local", "relay")
    assert (into["bytes_in"], into["bytes_out"], into["result"]) == (10, 10, "ok")
    assert into["agent"] == "main" and into["ip"] and 0 <= into["duration_ms"] < 60_000

    since = time.monotonic()
    assert net.udp_exchange(udp, b"datagram") == b"datagram"
    there = running.ports[-1]
    assert net.exchange((HOST, there), b"from there") == b"from there"
    running.stop()
    datagrams = ended(owner, workspace, f"127.0.0.1:{udp_echo.port}/udp")
    assert (datagrams["bytes_in"], datagrams["bytes_out"]) == (8, 8)
    assert datagrams["actor"] == owner.name
    assert 0 <= datagrams["duration_ms"] <= (time.monotonic() - since) * 1000

    out = ended(owner, workspace, f"localhost:{there}")
    assert (out["direction"], out["bytes_in"], out["bytes_out"]) == ("remote", 10, 10)
    for action in ("listen_open", "listen_close"):
        listener = ended(owner, workspace, f"localhost:{there}", action)
        assert (listener["direction"], listener["result"]) == ("remote", "ok")


def test_a_refused_forward_is_on_record(own_deployment, tcp_echo):
    own_deployment.admin.run("templates", "push", "default", "-",
                             stdin='forwarding:\n  permit_open: ["localhost:1"]\n')
    workspace = own_deployment.workspace()
    running = workspace.owner.forward(workspace.name, "--tcp",
                                      f"{net.free_port()}:{tcp_echo.port}")
    with pytest.raises(ConnectionResetError):
        net.exchange((HOST, running.ports[0]), b"")
    refused = ended(workspace.owner, workspace, f"127.0.0.1:{tcp_echo.port}")
    assert (refused["result"], refused["actor"]) == ("forbidden", "admin")
    assert (refused["bytes_in"], refused["bytes_out"]) == (0, 0)
    running.stop()


def test_what_ends_while_the_server_is_away_is_on_record_once(own_deployment, tcp_echo):
    workspace = own_deployment.workspace()
    running = workspace.owner.forward(workspace.name, "--tcp",
                                      f"{net.free_port()}:{tcp_echo.port}")
    with socket.create_connection((HOST, running.ports[0]), timeout=20) as open_one:
        open_one.sendall(b"before")
        assert open_one.recv(6) == b"before"
        own_deployment.crash()
        workspace.agent.wait_line("server away")
        own_deployment.start()
    target = f"127.0.0.1:{tcp_echo.port}"
    record = ended(workspace.owner, workspace, target)
    assert (record["actor"], record["bytes_in"], record["bytes_out"]) == ("admin", 6, 6)
    own_deployment.restart()
    workspace.wait_connected()
    assert [each["target"] for each in events(workspace.owner)].count(target) == 1
    running.stop()


# ---- the file ----

def lines(path):
    """Its events: the lines that have been written to their end."""
    whole, _, _ = path.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def actions(path):
    return [each["action"] for each in lines(path)]


def test_the_record_is_a_file_too_and_can_be_rotated(make_deployment, tmp_path, tcp_echo):
    path = tmp_path / "audit.jsonl"
    deployment = make_deployment("--audit-file", path)
    workspace = deployment.workspace()
    assert path.stat().st_mode & 0o777 == 0o600
    made = [each for each in lines(path) if each["action"] == "workspace_create"]
    assert [(each["actor"], each["workspace"]) for each in made] == [
        ("admin", f"admin/{workspace.name}")]

    running = workspace.owner.forward(workspace.name, "--tcp",
                                      f"{net.free_port()}:{tcp_echo.port}")
    assert net.exchange((HOST, running.ports[0]), b"on file") == b"on file"
    running.stop()
    record = ended(workspace.owner, workspace, f"127.0.0.1:{tcp_echo.port}")
    until(lambda: record in lines(path), "the forward is in the file")

    path.rename(tmp_path / "audit.jsonl.1")
    since = deployment.server.position()
    deployment.server.signal(signal.SIGHUP)
    until(path.exists, "the file is opened anew")
    workspace.owner.run("tokens", "create", "after")
    until(lambda: "token_create" in actions(path), "what came after is in the new file")
    assert "workspace_create" not in actions(path)
    assert "token_create" not in actions(tmp_path / "audit.jsonl.1")
    assert "stays" not in deployment.server.text(since=since)


def test_an_audit_file_that_cannot_be_opened_is_an_error_at_start(person, tmp_path):
    failed = person.run("server", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data",
                        "--audit-file", tmp_path / "missing" / "audit.jsonl", code=1)
    assert "cannot open the audit file" in failed.err and "No such file" in failed.err
