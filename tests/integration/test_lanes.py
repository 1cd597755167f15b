"""Bulk lanes: a heavy connection goes on in one of its own, and nobody notices but by the speed."""
import base64
import hashlib
import hmac
import os
import select
import socket
import subprocess
import threading

import pytest
import requests

from harness import adit, net
from harness.adit import Cli, Deployment
from harness.wait import SCALE, until

GIB = 1 << 30 if SCALE == 1 else 1 << 28
BULK = 64 << 20
WAYS = (("--no-direct",), ())


@pytest.fixture
def mine(own_workspace, supervisor):
    return Cli(supervisor, own_workspace.owner.home, own_workspace.owner.name)


def start(mine, workspace, *args, way=("--no-direct",)):
    """A forward; without `--no-direct` it is waited for until its path is direct."""
    forward = mine.forward(workspace.name, *args, *way)
    if not way:
        forward.wait_event("path", path="direct", timeout=20)
    return forward


def connect(forward, index=0):
    return socket.create_connection(("127.0.0.1", forward.ports[index]), timeout=60)


# ---- what passes ----

@pytest.mark.parametrize("way", WAYS, ids=("relayed", "direct"))
def test_a_download_moves_to_a_lane(own_workspace, mine, tcp_server, way):
    source = net.Source(GIB)
    target = tcp_server(source)
    forward = start(mine, own_workspace, "--tcp", f"{net.free_port()}:{target.port}", way=way)
    with connect(forward) as connection:
        assert net.read_digest(connection) == (GIB, source.sha256)
    forward.wait_event("lane")
    assert "result" not in forward.wait_event("connection_closed", received=GIB)
    until(lambda: own_workspace.deployment.metrics()["adit_lanes"] == 0, "the lane's end")
    assert own_workspace.deployment.metrics()["adit_lanes_opened_total"] == (1 if way else 0)
    if way:  # this counter is a second old at most
        until(lambda: own_workspace.deployment.metrics()["adit_lane_bytes_total"] > GIB // 2,
              "the lane's bytes")


@pytest.mark.parametrize("way", WAYS, ids=("relayed", "direct"))
def test_an_upload_moves_to_a_lane(own_workspace, mine, tcp_server, way):
    source = net.Source(GIB)
    target = tcp_server(net.answer_after_end)
    forward = start(mine, own_workspace, "--tcp", f"{net.free_port()}:{target.port}", way=way)
    with connect(forward) as connection:
        source(connection)
        assert connection.recv(1000).decode().split() == [str(GIB), source.sha256]
    forward.wait_event("lane")
    assert "result" not in forward.wait_event("connection_closed", sent=GIB)


def test_a_reverse_forward_moves_to_a_lane_both_ways(own_workspace, mine, tcp_server):
    echo = tcp_server()
    forward = start(mine, own_workspace, "-R", f"0:127.0.0.1:{echo.port}")
    data = os.urandom(BULK)
    answer = net.exchange(("127.0.0.1", forward.ports[0]), data, timeout=60)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(data).digest()
    forward.wait_event("lane")


def test_a_unix_socket_moves_to_a_lane(own_workspace, mine, tcp_server, tmp_path):
    path = str(tmp_path / "s")
    source = net.Source(BULK)
    target = tcp_server(source)
    forward = start(mine, own_workspace, "-L", f"{path}:127.0.0.1:{target.port}")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        assert net.read_digest(connection) == (BULK, source.sha256)
    forward.wait_event("lane")


def test_a_light_connection_stays_on_the_session(own_workspace, mine, tcp_server):
    source = net.Source(3 << 20)
    target = tcp_server(source)
    forward = start(mine, own_workspace, "--tcp", f"{net.free_port()}:{target.port}")
    for _ in range(3):
        with connect(forward) as connection:
            assert net.read_digest(connection) == (source.size, source.sha256)
    assert forward.process.events(event="lane") == []
    assert own_workspace.deployment.metrics()["adit_lanes_opened_total"] == 0


# ---- the server's port ----

class Tickets:
    """A relayed session as its client sees it from outside: the key, and tickets made from it."""

    def __init__(self, url, token, agent):
        self.address = url.split("://")[1].split(":")[0], int(url.rsplit(":", 1)[1])
        self.session = socket.create_connection(self.address, timeout=20)
        self.session.sendall(
            (f"GET /api/v1/agents/{agent}/relay HTTP/1.1\r\nHost: {self.address[0]}\r\n"
             f"Authorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
             "Adit-Peer-Pin: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU\r\n\r\n").encode())
        head = read_head(self.session)
        assert head.startswith("HTTP/1.1 101 "), head
        key = next(line.split(": ")[1] for line in head.splitlines()
                   if line.lower().startswith("adit-lane-key:"))
        self.worker, self.name, secret = key.split(".")
        self.secret = base64.urlsafe_b64decode(secret + "=")

    def make(self, number, end):
        text = f"{self.worker}.{self.name}.{number}.{end}"
        mac = hmac.new(self.secret, text.encode(), "sha256").hexdigest()[:32]
        return f"{text}.{mac}"

    def show(self, ticket):
        """A connection that has shown this ticket."""
        return ask(self.address, f"/api/v1/lanes/{ticket}")

    def close(self):
        self.session.close()


def ask(address, path):
    connection = socket.create_connection(address, timeout=20)
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {address[0]}\r\nConnection: Upgrade\r\n"
                       "Upgrade: adit-lane\r\n\r\n".encode())
    return connection


def read_head(connection):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(1)
        if not piece:
            break
        head += piece
    return head.decode()


def status(connection):
    return int(read_head(connection).split()[1])


def first_answered(connections):
    """The workers take connections in any order."""
    return select.select(connections, [], [], 20)[0][0]


@pytest.fixture
def tickets(own_workspace):
    owner, url = own_workspace.owner, own_workspace.deployment.url
    token = requests.post(f"{url}/api/v1/login", timeout=20,
                          json={"user": owner.name, "password": owner.password}).json()["token"]
    shown = requests.get(f"{url}/api/v1/workspaces/{owner.name}/{own_workspace.name}", timeout=20,
                         headers={"Authorization": f"Bearer {token}"}).json()
    made = Tickets(url, token, shown["agents"][0]["id"])
    yield made
    made.close()


def test_two_tickets_of_a_lane_are_joined_once(tickets):
    a, b = tickets.show(tickets.make(1, "c")), tickets.show(tickets.make(1, "a"))
    assert status(a) == status(b) == 101
    a.sendall(b"there")
    assert b.recv(10) == b"there"
    b.sendall(b"and back")
    assert a.recv(10) == b"and back"
    a.shutdown(socket.SHUT_WR)
    assert b.recv(10) == b""
    b.sendall(b"half-closed")
    assert a.recv(20) == b"half-closed"
    for spent in ("c", "a"):
        assert status(tickets.show(tickets.make(1, spent))) == 404
    a.close()
    b.close()


def test_other_tickets_are_worth_nothing(tickets):
    good = tickets.make(5, "c")
    for bad in (good[:-1] + ("0" if good[-1] != "0" else "1"), good.replace(".5.", ".6."),
                good.replace(".c.", ".a."), "99" + good, "x", "", good + ".1", "%00"):
        assert status(tickets.show(bad)) in (400, 404), bad
    # The same end twice does not make a pair.
    both = [tickets.show(good), tickets.show(good)]
    sent_away = first_answered(both)
    assert status(sent_away) == 404
    both.remove(sent_away)
    other = tickets.show(tickets.make(5, "a"))
    assert status(both[0]) == status(other) == 101
    # Numbers far below the highest are gone.
    ends = [tickets.show(tickets.make(1000, each)) for each in "ca"]
    assert [status(each) for each in ends] == [101, 101]
    assert status(tickets.show(tickets.make(6, "c"))) == 404


@pytest.mark.slow
def test_an_end_that_waits_alone_is_sent_away(tickets):
    alone = tickets.show(tickets.make(1, "a"))
    assert status(alone) == 404
    late = tickets.show(tickets.make(1, "c"))
    assert status(late) == 404


def test_lanes_end_with_the_session(tickets, own_workspace):
    a, b = tickets.show(tickets.make(1, "c")), tickets.show(tickets.make(1, "a"))
    waiting = tickets.show(tickets.make(2, "c"))
    assert status(a) == status(b) == 101
    tickets.close()
    assert a.recv(1) == b"" and b.recv(1) == b""
    assert status(waiting) == 404
    assert status(tickets.show(tickets.make(3, "c"))) == 404
    until(lambda: own_workspace.deployment.metrics()["adit_lanes"] == 0, "no lane")


def test_a_session_has_so_many_lanes_and_no_more(tickets):
    waiting = [tickets.show(tickets.make(n, "c")) for n in range(1, 34)]
    refused = first_answered(waiting)
    assert status(refused) == 404
    waiting.remove(refused)
    waiting[0].close()

    def has_room():
        with tickets.show(tickets.make(41, "a")) as connection:
            connection.settimeout(0.5)
            try:
                return status(connection) != 404
            except TimeoutError:
                return True
    until(has_room, "a place that was given back")
    for connection in waiting:
        connection.close()


# ---- what goes wrong ----

class Tap:
    """Stands between a command and the server, and does as `lane(connection, request)` says with
    connections that ask for a lane; the others pass."""

    def __init__(self, port, lane):
        self.target, self.lane, self.requests = port, lane, []
        self.server = net.TcpServer(self._serve)
        self.url = f"http://127.0.0.1:{self.server.port}"

    def _serve(self, connection):
        first = connection.recv(65536)
        if b"/api/v1/lanes/" in first:
            self.requests.append(first)
            self.lane(connection, first)
            return
        with socket.create_connection(("127.0.0.1", self.target)) as out:
            out.sendall(first)
            back = threading.Thread(target=copy, args=(out, connection), daemon=True)
            back.start()
            copy(connection, out)
            back.join()

    def close(self):
        self.server.close()


def copy(source, sink):
    try:
        while data := source.recv(1 << 18):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def tapped(own_workspace, supervisor, tmp_path):
    """Makes a command line whose way to the server leads through a tap: tapped(lane)."""
    taps = []

    def make(lane):
        taps.append(Tap(own_workspace.deployment.port, lane))
        owner = own_workspace.owner
        person = Cli(supervisor, tmp_path / "tapped", owner.name)
        person.login(taps[-1].url, owner.password)
        return person, taps[-1]
    yield make
    for tap in taps:
        tap.close()


def download(person, workspace, target, source):
    forward = start(person, workspace, "--tcp", f"{net.free_port()}:{target.port}")
    with connect(forward) as connection:
        assert net.read_digest(connection) == (source.size, source.sha256)
    assert "result" not in forward.wait_event("connection_closed", received=source.size)
    return forward


def test_where_no_lane_can_be_the_connection_stays_as_it_is(own_workspace, tcp_server, tapped):
    source = net.Source(BULK)

    def refuse(connection, _request):
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    person, tap = tapped(refuse)
    forward = download(person, own_workspace, tcp_server(source), source)
    assert forward.process.events(event="lane") == []
    # And is not asked for again for a while.
    with connect(forward) as connection:
        assert net.read_digest(connection) == (source.size, source.sha256)
    assert len(tap.requests) == 1


def test_a_stolen_ticket_is_worth_a_failed_lane(own_workspace, tcp_server, tapped):
    source = net.Source(BULK)
    stolen = []

    def steal(_connection, request):
        thief = socket.create_connection(("127.0.0.1", own_workspace.deployment.port), timeout=20)
        thief.sendall(request)
        stolen.append((thief, status(thief)))
    person, _tap = tapped(steal)
    forward = download(person, own_workspace, tcp_server(source), source)
    assert forward.process.events(event="lane") == []
    until(lambda: stolen, "the theft")
    thief, answer = stolen[0]
    assert answer == 101
    # What the agent says to a client hello of another key: nothing but an alert.
    thief.sendall(b"\x16\x03\x01\x00\x05hello")
    assert len(thief.recv(1 << 20)) < 1000
    thief.close()


@pytest.mark.parametrize("after", (0, 100), ids=("before it moves", "afterwards"))
def test_a_lane_that_is_cut(own_workspace, tcp_server, tapped, after):
    """Before the channel has moved nothing is lost; afterwards it is a reset, never an end."""
    source = net.Source(4 * BULK)
    passed = []

    def cut(connection, request):
        with socket.create_connection(("127.0.0.1", own_workspace.deployment.port)) as out:
            out.sendall(request)
            count = 0
            back = threading.Thread(target=copy, args=(connection, out), daemon=True)
            back.start()
            while data := out.recv(1 << 16):
                count += len(data)
                if count > (after << 16):
                    break
                connection.sendall(data)
            passed.append(count)
    person, _tap = tapped(cut)
    target = tcp_server(source)
    if not after:
        download(person, own_workspace, target, source)
        return
    forward = start(person, own_workspace, "--tcp", f"{net.free_port()}:{target.port}")
    with connect(forward) as connection:
        with pytest.raises(ConnectionResetError):
            net.read_digest(connection)
    forward.wait_event("lane")
    # The session is unharmed.
    light = net.Source(1 << 20)
    other = start(person, own_workspace, "--tcp", f"{net.free_port()}:{tcp_server(light).port}")
    with connect(other) as connection:
        assert net.read_digest(connection) == (light.size, light.sha256)


def endless(connection):
    block = bytes(1 << 20)
    try:
        while True:
            connection.sendall(block)
    except OSError:
        pass


@pytest.mark.parametrize("way", WAYS, ids=("relayed", "direct"))
def test_a_withdrawn_right_cuts_the_lane(own_workspace, mine, tcp_server, way):
    target = tcp_server(endless)
    forward = start(mine, own_workspace, "--tcp", f"{net.free_port()}:{target.port}", way=way)
    with connect(forward) as connection:
        def read():
            try:
                while connection.recv(1 << 20):
                    pass
            except OSError:
                pass
            ended.set()
        ended = threading.Event()
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        forward.wait_event("lane")
        own_workspace.owner.run("delete", own_workspace.name, "--yes")
        assert ended.wait(2 * SCALE)
        reader.join()
    forward.process.killed = True
    forward.process.kill()


def test_a_stuck_reader_holds_no_memory(own_workspace, mine, tcp_server):
    target = tcp_server(endless)
    forward = start(mine, own_workspace, "--tcp", f"{net.free_port()}:{target.port}")
    with connect(forward) as connection:
        got = 0
        while got < BULK:
            got += len(connection.recv(1 << 20))
        forward.wait_event("lane")

        def stands_still():
            before = own_workspace.deployment.metrics()["adit_lane_bytes_total"]
            threading.Event().wait(1.5)  # the counter is a second old at most
            return own_workspace.deployment.metrics()["adit_lane_bytes_total"] == before
        until(stands_still, "the sender stopped", timeout=30)
        for process in (forward.process, own_workspace.deployment.server, own_workspace.agent):
            assert process.memory_kib("VmHWM") < 64 * 1024 * (1 if SCALE == 1 else 8), process.name


# ---- a server that speaks https ----

@pytest.fixture
def https(supervisor, tmp_path, monkeypatch):
    """A deployment that speaks https with a certificate that everybody here trusts."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=here",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
                   check=True, capture_output=True)
    kept = adit.clean_environment
    monkeypatch.setattr(adit, "clean_environment", lambda home, **more: kept(
        home, SSL_CERT_FILE=str(certificate), **more))
    return Deployment(supervisor, tmp_path / "https",
                      ("--tls-cert", certificate, "--tls-key", key)).start().set_up()


def test_lanes_come_about_where_the_server_speaks_https(https, tcp_server):
    workspace = https.workspace()
    source = net.Source(BULK)
    target = tcp_server(source)
    forward = start(workspace.owner, workspace, "--tcp", f"{net.free_port()}:{target.port}")
    with connect(forward) as connection:
        assert net.read_digest(connection) == (BULK, source.sha256)
    forward.wait_event("lane")
    assert https.metrics()["adit_lanes_opened_total"] == 1


def test_the_https_port_takes_lanes_in_plain_http_and_nothing_else(https):
    address = ("127.0.0.1", https.port)
    for path in ("/", "/healthz", "/api/v1/buildinfo", "/metrics", "/api/v1/lanes"):
        with ask(address, path) as connection:
            answer = connection.recv(65536).decode()
            while piece := connection.recv(65536):
                answer += piece.decode()
            assert answer.startswith("HTTP/1.1 400 "), path
            assert answer.endswith("This port speaks https.\n"), path
    with ask(address, "/api/v1/lanes/1.2.3") as connection:
        assert status(connection) == 404
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"\x00\x01garbage\r\n\r\n")
        assert b"400" in connection.recv(1000)
