"""Rights that are withdrawn end what they carried, and what is not one's own cannot be told from
what does not exist."""
import json
import socket
import time

import pytest

from harness import net
from harness.adit import Cli
from harness.wait import SCALE

LIMIT_S = 2


@pytest.fixture
def open_stream(deployment, supervisor, tcp_echo):
    """A new user, a workspace, and a connection through a forward that has carried bytes."""
    person = deployment.user()
    workspace = deployment.workspace(owner=person)
    mine = Cli(supervisor, person.home, person.name)
    forward = mine.start("port-forward", workspace.name, "--tcp",
                         f"{net.free_port()}:{tcp_echo.port}", "--output", "json",
                         good_codes=None)
    port = forward.wait_event(event="listening", timeout=20)["port"]
    stream = socket.create_connection(("127.0.0.1", port), timeout=20)
    stream.sendall(b"alive")
    assert stream.recv(10) == b"alive"
    yield person, workspace, stream
    stream.close()


def ends_in_time(stream):
    """Whether the other side lets go within the limit, counted from now."""
    since = time.monotonic()
    stream.settimeout(20)
    try:
        while stream.recv(4096):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - since < LIMIT_S * SCALE


def admin_api(deployment):
    answer = deployment.api().post(
        "/login", {"user": "admin", "password": deployment.admin.password}, 200)
    return deployment.api(answer.json()["token"])


def token_of(person):
    for file in (person.home / "config" / "adit").iterdir():
        text = file.read_text()
        start = text.find("adit_s")
        if start >= 0:
            return text[start:start + 49]
    raise AssertionError("no session is kept")


def test_deleting_the_workspace_ends_its_streams(open_stream, deployment):
    person, workspace, stream = open_stream
    deployment.api(token_of(person)).delete(f"/workspaces/{person.name}/{workspace.name}", 204)
    assert ends_in_time(stream)


def test_suspending_the_user_ends_their_streams(open_stream, deployment):
    person, _, stream = open_stream
    admin_api(deployment).request("PATCH", f"/users/{person.name}", 200, json={"suspended": True})
    assert ends_in_time(stream)


def test_logging_out_ends_the_streams_of_that_session(open_stream, deployment):
    person, _, stream = open_stream
    deployment.api(token_of(person)).post("/logout", status=204, headers={"Adit-Csrf": "1"})
    assert ends_in_time(stream)


def test_a_new_password_ends_the_streams_of_other_sessions(open_stream, deployment):
    person, _, stream = open_stream
    other = deployment.api().post(
        "/login", {"user": person.name, "password": person.password}, 200).json()["token"]
    deployment.api(other).request("PUT", "/me/password", 204, json={
        "old_password": person.password, "new_password": "quite another one"})
    assert ends_in_time(stream)


def test_streams_of_others_go_on(open_stream, deployment):
    _, _, stream = open_stream
    other = deployment.user()
    admin_api(deployment).request("PATCH", f"/users/{other.name}", 200, json={"suspended": True})
    deployment.api(token_of(deployment.user())).post("/logout", status=204)
    stream.sendall(b"still here")
    assert stream.recv(20) == b"still here"


def test_the_record_tells_who_forwarded_where_and_how_much(open_stream, deployment):
    person, workspace, stream = open_stream
    opened = deployment.server.wait_line(
        rf"action=peer_open actor={person.name} workspace={person.name}/{workspace.name} ")
    assert opened
    deployment.api(token_of(person)).delete(f"/workspaces/{person.name}/{workspace.name}", 204)
    assert ends_in_time(stream)
    closed = deployment.server.wait_line(
        rf"action=peer_close actor={person.name} .* bytes_in=(\d+) bytes_out=(\d+) ")
    assert int(closed[1]) > 0 and int(closed[2]) > 0


def test_somebody_elses_workspace_looks_like_none(workspace, deployment):
    stranger = deployment.user()
    api = deployment.api(token_of(stranger))
    agent = json.loads(workspace.owner.run("show", workspace.name, "--output", "json").out)
    agent_id = agent["agents"][0]["id"]
    theirs = api.get(f"/workspaces/{workspace.owner.name}/{workspace.name}", 404)
    nothing = api.get(f"/workspaces/{workspace.owner.name}/nothing", 404)
    assert theirs.text == nothing.text
    fields = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
              "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
              "Adit-Peer-Pin": "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"}
    theirs = api.get(f"/agents/{agent_id}/relay", 404, headers=fields)
    nothing = api.get(f"/agents/{'0' * 31}1/relay", 404, headers=fields)
    assert theirs.text == nothing.text
