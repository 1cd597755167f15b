"""What passes between a browser and an app: bytes, heads, upgrades, and what does not."""
import hashlib
import http.client
import json
import re
import socket
import statistics
import threading
import time

import pytest
import websocket

from harness import apps
from harness.wait import SCALE, until

MIB = 1 << 20


@pytest.fixture(scope="module")
def site(session_supervisor, tmp_path_factory):
    """A deployment with a wildcard and an app, shared by this file."""
    from harness import adit
    root = tmp_path_factory.mktemp("site")
    made = adit.Deployment(session_supervisor, root / "deployment",
                           ("--wildcard-access-url", "*." + apps.DOMAIN, "--workers", "2"))
    made.start().set_up()
    made.ws = made.workspace()
    made.app = apps.App()
    made.host = apps.host_of(made, made.app.port, made.ws)
    made.token = apps.token_of(made.admin, made.url)
    yield made
    made.app.close()


@pytest.fixture
def to_app(site):
    made = []

    def connect(host=None, **fields):
        made.append(apps.Connection(site, host or site.host, site.token, **fields))
        return made[-1]
    yield connect
    for each in made:
        each.close()


def metrics(site):
    text = site.api().session.get(site.url + "/metrics", timeout=20).text
    return {name: float(value) for name, value in re.findall(r"^(\S+) (\S+)$", text, re.M)}


def ticket(answer):
    return re.search(r"adit_ticket=[^;]+", answer.getheader("Set-Cookie")).group(0)


def test_the_app_sees_what_was_sent_and_nothing_of_ours(to_app, site):
    said = to_app(Cookie="a=1; adit_ticket=x", Authorization="Bearer the-apps",
                  X_Forwarded_For="1.2.3.4", X_Adit_User="root").json("GET", "/a//b?c=%20d")
    fields = {name.lower(): value for name, value in said["headers"]}
    assert said["path"] == "/a//b?c=%20d"
    assert fields["host"] == site.host
    assert fields["cookie"] == "a=1"
    assert fields["authorization"] == "Bearer the-apps"
    assert fields["x-forwarded-for"] == "127.0.0.1"
    assert fields["x-forwarded-proto"] == "http"
    assert fields["x-forwarded-host"] == site.host
    assert not {"adit-session-token", "x-adit-user", "x-adit-email"} & set(fields)


def test_apps_cannot_set_our_cookies(to_app):
    answer = to_app().ask("GET", "/cookies")
    assert answer.status == 200 and "evil" not in str(answer.getheaders())


def test_heads_without_bodies(to_app):
    connection = to_app()
    head = connection.ask("HEAD", "/")
    assert head.status == 200 and int(head.getheader("Content-Length")) > 0
    for status in (204, 304, 404, 500):
        assert connection.ask("GET", f"/status/{status}").status == status
    assert connection.ask().status == 200


def test_interim_answers_and_trailers(site, to_app):
    def raw(path):
        with socket.create_connection(("127.0.0.1", site.port), timeout=20) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: {site.host}\r\nConnection: close\r\n"
                      f"TE: trailers\r\nAdit-Session-Token: {site.token}\r\n\r\n".encode())
            return b"".join(iter(lambda: s.recv(65536), b""))
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    assert raw("/interim").startswith(hints + b"HTTP/1.1 200 OK\r\n")
    assert raw("/trailers").endswith(b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/silent"])
def test_expect_100_continue(site, path):
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as s:
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: {site.host}\r\nExpect: 100-continue\r\n"
                  f"Connection: close\r\nContent-Length: 5\r\n"
                  f"Adit-Session-Token: {site.token}\r\n\r\n".encode())
        assert s.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b"hello")
        got = b"".join(iter(lambda: s.recv(65536), b""))
        assert got.endswith(hashlib.sha256(b"hello").hexdigest().encode())


def test_server_sent_events_arrive_at_once(site, to_app):
    connection = to_app()
    connection.http.request("GET", "/events", headers=connection.fields, )
    answer = connection.http.getresponse()
    late = []
    for line in answer:
        if line.startswith(b"data: "):
            late.append(time.monotonic() - float(line[6:]))
            site.app.seen()
    # One of them may have waited for a processor.
    assert len(late) == 5 and statistics.median(late) < 0.1 * SCALE


@pytest.mark.limit(240)
def test_large_bodies_take_no_memory(site, to_app):
    size = (256 if SCALE == 1 else 32) * MIB
    block = bytes(MIB)
    connection = to_app()
    digest = hashlib.sha256()
    connection.http.putrequest("POST", "/", skip_host=True)
    for name, value in {**connection.fields, "Content-Length": str(size)}.items():
        connection.http.putheader(name, value)
    connection.http.endheaders()
    for _ in range(size // MIB):
        connection.http.send(block)
        digest.update(block)
    answer = connection.http.getresponse()
    assert answer.read().decode() == f"{size} {digest.hexdigest()}"

    connection.http.putrequest("GET", f"/big?size={size}", skip_host=True)
    for name, value in connection.fields.items():
        connection.http.putheader(name, value)
    connection.http.endheaders()
    answer, got = connection.http.getresponse(), 0
    while data := answer.read(MIB):
        got += len(data)
    assert got == size
    if SCALE == 1:
        assert site.server.memory_kib("VmHWM") < 64 * 1024


def test_a_slow_reader_stops_the_app(site, to_app):
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as s:
        s.sendall(f"GET /big?size={1 << 30} HTTP/1.1\r\nHost: {site.host}\r\n"
                  f"Adit-Session-Token: {site.token}\r\n\r\n".encode())
        s.recv(1000)
        # Others go on meanwhile.
        for _ in range(20):
            assert to_app().ask().status == 200
        if SCALE == 1:
            assert site.server.memory_kib("VmHWM") < 64 * 1024


def open_websocket(site, **options):
    return websocket.create_connection(
        f"ws://127.0.0.1:{site.port}/ws", host=site.host, timeout=20 * SCALE,
        header=[f"Adit-Session-Token: {options.pop('token', site.token)}"],
        suppress_origin=True, **options)


def test_websockets_echo(site):
    channel = open_websocket(site)
    for text in ("x", "ä" * 100, "y" * 60000):
        channel.send(text)
        assert channel.recv() == text
    channel.close()


@pytest.mark.limit(180)
def test_many_websockets_at_once(site):
    count = 1000 if SCALE == 1 else 100
    channels = [open_websocket(site) for _ in range(count)]
    try:
        for i, channel in enumerate(channels):
            channel.send(str(i))
        assert [channel.recv() for channel in channels] == [str(i) for i in range(count)]
        assert metrics(site)["adit_app_upgrades_total"] >= count
    finally:
        for channel in channels:
            channel.shutdown()


def test_logging_out_ends_a_running_websocket(site, supervisor, tmp_path):
    from harness.adit import Cli
    person = Cli(supervisor, tmp_path / "again", site.admin.name)
    person.login(site.url, site.admin.password)
    mine = open_websocket(site, token=apps.token_of(person, site.url))
    other = open_websocket(site)
    mine.send("a")
    assert mine.recv() == "a"
    person.run("logout")
    since = time.monotonic()
    with pytest.raises((websocket.WebSocketException, OSError)):
        mine.recv()
    assert time.monotonic() - since < 2 * SCALE
    other.send("b")
    assert other.recv() == "b"
    other.close()


@pytest.mark.limit(180)
def test_tickets_need_no_store(site, to_app):
    connection = to_app()
    carries = ticket(connection.ask())
    del connection.fields["Adit-Session-Token"]
    connection.fields["Cookie"] = carries

    def calls():
        return {name: n for name, n in metrics(site).items()
                if name.startswith("adit_store_operations_total")}

    def settled():
        """The record of what was done before, by others too, is written behind the answers."""
        first = calls()
        threading.Event().wait(0.5)
        return first if calls() == first else None
    before = until(settled, "the store is at rest")
    for _ in range(10000 if SCALE == 1 else 500):
        assert connection.ask("HEAD").status == 200
    assert calls() == before
    elsewhere = to_app(apps.host_of(site, site.app.port + 1, site.ws))
    del elsewhere.fields["Adit-Session-Token"]
    assert elsewhere.ask(Cookie=carries).status == 303


def test_tls_apps_and_the_other_protocol(site, to_app, tmp_path):
    app = apps.App(apps.self_signed(tmp_path))
    try:
        secure = apps.host_of(site, f"{app.port}s", site.ws)
        assert to_app(secure).json("GET", "/x")["path"] == "/x"
        plain = to_app(apps.host_of(site, app.port, site.ws)).ask()
        assert plain.status == 502 and f"//{secure}/" in plain.text
        wrong = to_app(apps.host_of(site, f"{site.app.port}s", site.ws)).ask()
        assert wrong.status == 502 and f"//{site.host}/" in wrong.text
    finally:
        app.close()


def test_nothing_listens(site, to_app):
    answer = to_app(apps.host_of(site, 9, site.ws)).ask()
    assert answer.status == 502 and "port 9" in answer.text
    answer = to_app(apps.host_of(site, 9, site.ws)).ask(Accept="application/json")
    assert answer.status == 502 and "port 9" in json.loads(answer.text)["detail"]


def test_an_agent_that_is_away_comes_back(site, to_app):
    workspace = site.workspace()
    host = apps.host_of(site, site.app.port, workspace)
    assert to_app(host).ask().status == 200
    workspace.agent.stop()
    workspace.wait_connected(False)
    away = to_app(host).ask()
    assert away.status == 502 and "Workspace offline" in away.text and "<script" in away.text
    workspace.start_agent()
    until(lambda: to_app(host).ask().status == 200, "the app is back", timeout=5)


def test_missing_and_forbidden_are_one_page(site):
    person = site.user()
    token = apps.token_of(person, site.url)
    pages = set()
    for host in (site.host, apps.host_of(site, 9, site.ws),
                 apps.host_of(site, site.app.port, site.ws, "nobody"),
                 f"8080--nothing--{site.admin.name}.{apps.DOMAIN}"):
        connection = apps.Connection(site, host, token)
        answer = connection.ask()
        assert answer.status == 404
        fields = [field for field in answer.getheaders() if field[0] != "Date"]
        pages.add((str(fields), answer.text))
        connection.close()
    assert len(pages) == 1


@pytest.mark.parametrize("head", [
    "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "X: a\r\n b", "X : a", "Content-Length: +5", "Transfer-Encoding: xchunked", "X: a\x00b",
    "Content-Length: 5,5",
])
def test_smuggling_is_refused(site, head):
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as s:
        s.sendall(f"POST / HTTP/1.1\r\nHost: {site.host}\r\nAdit-Session-Token: {site.token}\r\n"
                  f"{head}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n".encode())
        got = b"".join(iter(lambda: s.recv(65536), b""))
    assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1") == 1


def test_a_large_head_is_refused(site):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)
    connection.request("GET", "/", headers={"Host": site.host, "X": "x" * 65536})
    assert connection.getresponse().status == 431
    connection.close()


def test_names_of_hosts(site, to_app):
    label = f"{site.app.port}--{site.ws.name}--{site.admin.name}"
    for host in (f"{label.upper()}.{apps.DOMAIN.upper()}", f"{label}.{apps.DOMAIN}.",
                 f"{label}.{apps.DOMAIN}:1", f"pre---{label}.{apps.DOMAIN}"):
        assert to_app(host).ask().status == 200, host
    for host in (f"8--x--y.{apps.DOMAIN}", f"x.{apps.DOMAIN}", f"{'a' * 64}.{apps.DOMAIN}"):
        assert to_app(host).ask().status == 400, host
    for host in (f"{label}.other.test", f"127.0.0.1:{site.port}"):
        answer = to_app(host).ask(Accept="text/html")
        # The dashboard's, which leads to the log-in; a program without one says what it is.
        assert answer.headers["Location"] == "/login" or "adit" in answer.text, host


def test_uploads_from_many_at_once(site):
    failed = []

    def one(i):
        connection = apps.Connection(site, site.host, site.token)
        body = bytes([i]) * (100000 + i)
        answer = connection.ask("POST", "/", body)
        if answer.text != f"{len(body)} {hashlib.sha256(body).hexdigest()}":
            failed.append((i, answer.status, answer.text))
        connection.close()
    threads = [threading.Thread(target=one, args=(i,)) for i in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
