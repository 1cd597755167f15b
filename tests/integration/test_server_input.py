"""Bad input to every endpoint of docs/openapi.yaml: always a 4xx within limits, and the server
goes on serving."""
import json
import socket
from pathlib import Path

import pytest
import websocket
import yaml

DESCRIPTION = yaml.safe_load(
    (Path(__file__).parents[2] / "docs/openapi.yaml").read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = [(method.upper(), path, DESCRIPTION["paths"][path][method])
              for path in DESCRIPTION["paths"] for method in METHODS
              if method in DESCRIPTION["paths"][path]]
WITH_BODY = [each for each in OPERATIONS if "requestBody" in each[2]]
NAMES = {"user": "somebody", "owner": "somebody", "workspace": "nothing", "agent": "main",
         "template": "nothing", "id": "0" * 31 + "1"}


def ids(operations):
    return [each[2]["operationId"] for each in operations]


def filled(path):
    for name, value in NAMES.items():
        path = path.replace("{" + name + "}", value)
    return path


@pytest.fixture(scope="module")
def token(deployment):
    return deployment.api().post(
        "/login", {"user": "admin", "password": deployment.admin.password}, 200).json()["token"]


class Answer:
    """What came back on a bare connection until it ended."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split()[1]) if raw else None
        self.fields = {line.partition(":")[0].lower(): line.partition(":")[2].strip()
                       for line in lines[1:]}


def send(deployment, data, timeout=20, then_end=False):
    """Sends bytes as they are. A server that stops reading is no failure."""
    raw = b""
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=timeout) as s:
        try:
            s.sendall(data)
            if then_end:
                s.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        while True:
            try:
                piece = s.recv(65536)
            except ConnectionResetError:
                break
            if not piece:
                break
            raw += piece
            if len(raw) > 1 << 20:
                raise AssertionError("an answer without an end")
    return Answer(raw)


def request(method, path, token, fields=(), body=b""):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close",
             f"Authorization: Bearer {token}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def expect_refused(answer, what):
    assert answer.status is not None and 400 <= answer.status < 500, f"{what}: {answer.status}"
    if answer.fields.get("content-type") == "application/json":
        error = json.loads(answer.body)
        assert error["message"], what


def expect_alive(deployment):
    assert deployment.api().get("/buildinfo").json()["version"]


BAD_BODIES = [b"", b"{", b"}", b"[]", b"null", b"1e999", b'"text"', b"{}trailing", b'{"a":}',
              b"\xff\xfe", b'{"\xff":1}', b'{"a\\u0000":1}', b"[" * 100000, b'{"a":' * 50000,
              b'{"unknown":true}', b'{"name":{"a":[1]}}', b'{"name":"' + b"x" * 500000 + b'"}']


@pytest.mark.parametrize("method, path, operation", WITH_BODY, ids=ids(WITH_BODY))
def test_broken_json_is_refused(method, path, operation, deployment, token):
    for body in BAD_BODIES:
        fields = ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        expect_refused(send(deployment, request(method, filled(path), token, fields, body)),
                       f"{operation['operationId']} {body[:30]!r}")
    expect_alive(deployment)


@pytest.mark.parametrize("method, path, operation", OPERATIONS, ids=ids(OPERATIONS))
def test_a_body_of_10_mib_is_refused(method, path, operation, deployment, token):
    size = 10 << 20
    fields = ["Content-Type: application/json", f"Content-Length: {size}"]
    answer = send(deployment, request(method, filled(path), token, fields, b" " * size))
    # The server may hang up on the rest of the body before its answer could be read.
    if answer.status is not None:
        expect_refused(answer, operation["operationId"])
    fields = ["Content-Type: application/json", "Transfer-Encoding: chunked"]
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    answer = send(deployment, request(method, filled(path), token, fields, chunk * 160))
    if answer.status is not None:
        expect_refused(answer, operation["operationId"])
    expect_alive(deployment)


@pytest.mark.parametrize("method, path, operation", OPERATIONS, ids=ids(OPERATIONS))
def test_a_mebibyte_of_headers_is_refused(method, path, operation, deployment, token):
    one = request(method, filled(path), token, ["X-Big: " + "x" * (1 << 20)])
    many = request(method, filled(path), token, [f"X-{n}: y" for n in range(50000)])
    for data in (one, many):
        answer = send(deployment, data)
        assert answer.status in (431, None), operation["operationId"]
    expect_alive(deployment)


@pytest.mark.parametrize("method, path, operation", OPERATIONS, ids=ids(OPERATIONS))
def test_other_methods_are_refused(method, path, operation, deployment, token):
    known = {name.upper() for name in DESCRIPTION["paths"][path] if name in METHODS}
    for other in ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "get", "CONNECT"):
        if other in known:
            continue
        answer = send(deployment, request(other, filled(path), token))
        assert answer.status in (400, 405, 501), f"{other} {path}: {answer.status}"
        if answer.status == 405 and other != "CONNECT":
            assert known <= {name.strip() for name in answer.fields["allow"].split(",")}


@pytest.mark.parametrize("method, path, operation", WITH_BODY, ids=ids(WITH_BODY))
def test_a_body_of_another_type_is_refused(method, path, operation, deployment, token):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        fields = [f"Content-Type: {kind}", "Content-Length: 2"]
        answer = send(deployment, request(method, filled(path), token, fields, b"{}"))
        assert answer.status == 415, f"{operation['operationId']} {kind}"


@pytest.mark.parametrize("data", [
    b"", b"\r\n\r\n", b"GET\r\n\r\n", b"\x00" * 1000, b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nBad Name: y\r\n\r\n",
    b"GET http://other.example/ HTTP/1.1\r\nHost: x\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
], ids=range(15))
def test_what_is_no_request_is_refused(data, deployment):
    def refused():
        return sum(number for name, number in deployment.metrics().items()
                   if name.startswith("adit_http_refused_total"))

    before = refused()
    answer = send(deployment, data, then_end=True)
    assert answer.status is None or 400 <= answer.status < 600
    assert answer.status != 200
    assert refused() - before == (answer.status is not None)
    expect_alive(deployment)


def test_half_requests_are_ended(make_deployment):
    deployment = make_deployment("--header-timeout", "1s")
    assert send(deployment, b"GET / HTTP/1.1\r\nHost: x\r\nX-Ha").status == 408
    assert deployment.metrics()['adit_http_refused_total{status="408"}'] == 1
    login = b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    answer = send(deployment, login + b"Content-Length: 100\r\n\r\n{", then_end=True)
    assert answer.status in (400, None)
    expect_alive(deployment)


def test_many_idle_strangers_leave_room_for_the_next(deployment):
    held = [socket.create_connection(("127.0.0.1", deployment.port), timeout=5)
            for _ in range(300)]
    for each in held[:150]:
        each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    expect_alive(deployment)
    for each in held:
        each.close()


def test_names_that_mean_something_elsewhere_are_just_names(deployment, token):
    api = deployment.api(token)
    for name in ("..%2f..%2fetc%2fpasswd", "%2e%2e", "a%00b", "'%20OR%201=1--", "%ff", "a" * 3000,
                 "%", "%zz", "Robert%27);DROP%20TABLE%20users;--"):
        for path in (f"/users/{name}", f"/workspaces/admin/{name}", f"/workspaces/{name}/x",
                     f"/templates/{name}"):
            answer = send(deployment, request("GET", f"/api/v1{path}", token))
            assert answer.status in (400, 404, 414), f"{path}: {answer.status}"
    assert api.get("/users").json()["users"]


# ---- somebody else's WebSocket ----

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, SETTINGS_ACK = (b"\0\0\0\x04" + flags + b"\0\0\0\0" for flags in (b"\0", b"\1"))


@pytest.fixture
def carrier(deployment):
    """Another program in the agent's place."""
    workspace = deployment.workspace(agent=False)
    token = workspace.token_file.read_text().strip()
    made = websocket.create_connection(f"ws://127.0.0.1:{deployment.port}/api/v1/agent/connect",
                                       header=[f"Authorization: Bearer {token}"], timeout=20)
    yield made
    made.shutdown()


def test_the_tunnel_is_bytes_in_somebody_elses_websocket(carrier):
    got = b""

    def read_until(wanted):
        nonlocal got
        while wanted not in got:
            code, data = carrier.recv_data()
            assert code == websocket.ABNF.OPCODE_BINARY
            got += data
    read_until(PREFACE)
    assert got.startswith(PREFACE)
    for at in range(len(SETTINGS)):
        carrier.send_binary(SETTINGS[at:at + 1])
    read_until(SETTINGS_ACK)
    carrier.ping("are you there")
    while (frame := carrier.recv_frame()).opcode == websocket.ABNF.OPCODE_BINARY:
        pass
    assert (frame.opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"are you there")


def test_a_text_message_ends_the_tunnel(carrier):
    carrier.send("text")
    while (frame := carrier.recv_frame()).opcode == websocket.ABNF.OPCODE_BINARY:
        pass
    assert frame.opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(frame.data[:2], "big") == 1003
