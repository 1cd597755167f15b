"""Open ports of a workspace, as they come and go."""
import re
import signal
import subprocess
import sys
import time

import pytest

from harness import adit, apps, net
from harness.events import Events, port_in
from harness.ssh_forward import SshForwards
from harness.terminal import Terminal
from harness.wait import SCALE, until

SERVICE = """
import socket, sys, ssl, threading
kind, address = sys.argv[1:3]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s.bind((address, 0))
s.listen(16)
print(s.getsockname()[1], flush=True)
tls = None
if kind == "tls":
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*sys.argv[3:5])
while True:
    c, _ = s.accept()
    print("connection", flush=True)
    try:
        if tls:
            c = tls.wrap_socket(c, server_side=True)
        if kind == "greets":
            c.sendall(b"220 hello\\r\\n")
        elif c.recv(4096) and kind in ("http", "tls"):
            c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    except OSError:
        pass
    c.close()
"""


class Service:
    """A program of the workspace that listens on a port of its own."""

    def __init__(self, kind="http", address="127.0.0.1", *more):
        self.process = subprocess.Popen([sys.executable, "-c", SERVICE, kind, address, *more],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.since = time.monotonic()

    def stop(self):
        """Returns how many connections it got."""
        self.process.kill()
        self.stopped = time.monotonic()
        return self.process.stdout.read().count("connection")


@pytest.fixture
def service():
    made = []

    def start(*args):
        made.append(Service(*args))
        return made[-1]
    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()


@pytest.fixture(scope="module")
def site(session_supervisor, tmp_path_factory):
    made = adit.Deployment(session_supervisor, tmp_path_factory.mktemp("ports"),
                           ("--workers", "2")).start().set_up()
    made.token = apps.token_of(made.admin, made.url)
    made.ws = made.workspace(name="dev", probes=True)
    return made


@pytest.fixture
def events(site):
    with Events(site, site.token, "admin/dev") as made:
        made.wait("forwards")  # the last topic: it is watched by now
        yield made


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "0.0.0.0"])
def test_a_service_is_an_event_within_two_seconds_and_its_end_too(address, events, service):
    web = service("http", address)
    told = events.wait("ports", lambda data: port_in(data, web.port))
    assert told.at - web.since < 2 * SCALE
    entry = port_in(told.data, web.port)
    assert entry["listening"] and entry["address"] == address
    assert entry["pid"] == web.process.pid and entry["process"].startswith("python3")
    web.stop()
    gone = events.wait("ports", lambda data: not port_in(data, web.port))
    assert gone.at - web.stopped < 2 * SCALE


@pytest.mark.parametrize("kind, speaks", [("http", "http"), ("greets", "other")])
def test_what_a_port_speaks_is_found_out(kind, speaks, events, service):
    web = service(kind)
    events.wait("ports", lambda data: (port_in(data, web.port) or {}).get("speaks") == speaks)


def test_a_tls_server_is_known_and_has_the_url_for_it(events, service, tmp_path):
    certificate = apps.self_signed(tmp_path)
    web = service("tls", "127.0.0.1", *map(str, certificate))
    told = events.wait("ports",
                       lambda data: (port_in(data, web.port) or {}).get("speaks") == "tls")
    assert f"//{web.port}s--" in port_in(told.data, web.port)["url"]


def test_a_port_is_listed_at_once_when_it_is_asked_for(site, service):
    web = service("http")
    listed = site.admin.run("ports", "dev", "--output", "json").json()
    assert web.port in [each["port"] for each in listed]


def test_without_probes_what_a_port_speaks_is_not_known(make_deployment, service, events):
    made = make_deployment()
    ws = made.workspace()
    with Events(made, apps.token_of(made.admin, made.url), f"admin/{ws.name}") as mine:
        mine.wait("forwards")
        web = service("http")
        mine.wait("ports", lambda data: port_in(data, web.port))
        events.wait("ports", lambda data: (port_in(data, web.port) or {}).get("speaks") == "http")
        assert port_in(mine.latest("ports"), web.port)["speaks"] == "unknown"


def test_listeners_of_people_are_not_ports_of_the_workspace(site, events, supervisor):
    mine = adit.Cli(supervisor, site.admin.home, "admin")
    forward = mine.forward("dev", "-R", "0:127.0.0.1:9")
    port = forward.ports[0]
    told = events.wait("forwards", lambda data: [f for f in data["forwards"] if f["listen"]])
    assert told.data["forwards"][0]["listen"].endswith(f":{port}")
    assert net.listens(port)
    assert not port_in(events.latest("ports"), port)
    listed = site.admin.run("ports", "dev", "--output", "json").json()
    assert port not in [each["port"] for each in listed]
    forward.stop()


def start_forward(site, supervisor, way):
    """A forward (-R) of the administrator's, by `way`; returns it with its port."""
    mine = adit.Cli(supervisor, site.admin.home, "admin")
    if way == "port-forward":
        forward = mine.forward("dev", "-R", "0:127.0.0.1:9")
        return forward.process, forward.ports[0]
    port = net.free_port()
    return SshForwards(site.ws, supervisor).forward("-R", f"{port}:127.0.0.1:9"), port


@pytest.mark.parametrize("way", ["port-forward", "ssh"])
def test_a_shared_port_of_a_forward_is_open_as_long_as_the_forward_is(way, site, events,
                                                                      supervisor):
    forward, port = start_forward(site, supervisor, way)
    assert not port_in(events.latest("ports"), port)
    site.admin.run("share", "dev", port, "--level", "authenticated")

    def told(data):
        return (port_in(data, port) or {}).get("forwarded_by") == "admin"
    events.wait("ports", told)
    listed = site.admin.run("ports", "dev", "--output", "json").json()
    shown = next(each for each in listed if each["port"] == port)
    assert shown["listening"] and shown["forwarded_by"] == "admin"
    line = next(each for each in site.admin.run("ports", "dev").out.splitlines()
                if each.startswith(f"{port} "))
    assert "forwarded by admin (-R)" in line
    forward.stop()
    until(lambda: not net.listens(port), "the end of the listener")
    since = time.monotonic()
    gone = events.wait("ports", lambda data: not (port_in(data, port) or {}).get("listening"))
    assert gone.at - since < 2 * SCALE
    assert port_in(gone.data, port)["forwarded_by"] is None
    site.admin.run("unshare", "dev", port)
    events.wait("ports", lambda data: not port_in(data, port))


def test_a_shared_port_is_open_again_within_two_seconds_of_its_forward(site, events, supervisor):
    port = net.free_port()
    site.admin.run("share", "dev", port, "--level", "authenticated")
    events.wait("ports", lambda data: port_in(data, port))
    assert not port_in(events.latest("ports"), port)["listening"]
    mine = adit.Cli(supervisor, site.admin.home, "admin")
    forward = mine.forward("dev", "-R", f"{port}:127.0.0.1:9")
    since = time.monotonic()
    told = events.wait("ports", lambda data: port_in(data, port)["listening"])
    assert told.at - since < 2 * SCALE
    forward.stop()
    site.admin.run("unshare", "dev", port)


def test_a_shared_port_of_an_app_is_open(make_deployment, service):
    made = make_deployment()
    web = service("http")
    made.admin.run("templates", "push", "with-app", "-",
                   stdin=f"apps:\n  - slug: lab\n    url: http://localhost:{web.port}\n")
    ws = made.workspace(template="with-app")
    made.admin.run("share", ws.name, web.port, "--level", "owner")

    def shown():
        listed = made.admin.run("ports", ws.name, "--output", "json").json()
        return next(each for each in listed if each["port"] == web.port)
    until(lambda: shown()["pid"] == web.process.pid, "the app's process")
    assert shown()["listening"] and shown()["forwarded_by"] is None


def test_ports_of_apps_are_listed_as_apps(make_deployment, service):
    made = make_deployment()
    web = service("http")
    made.admin.run("templates", "push", "with-app", "-",
                   stdin=f"apps:\n  - slug: lab\n    url: http://localhost:{web.port}\n")
    ws = made.workspace(template="with-app")
    with Events(made, apps.token_of(made.admin, made.url), f"admin/{ws.name}") as events:
        until(lambda: not port_in(events.wait("ports").data, web.port), "the app's port is hidden")
        made.admin.run("templates", "push", "with-app", "-", stdin="apps: []\n")
        events.wait("ports", lambda data: port_in(data, web.port))


def test_while_the_agent_is_away_what_is_shared_is_listed(own_workspace):
    owner = own_workspace.owner
    owner.run("share", own_workspace.name, "8080", "--level", "authenticated")
    own_workspace.agent.stop()
    own_workspace.wait_connected(False)
    shown = owner.run("ports", own_workspace.name)
    assert "8080" in shown.out and "(agent away)" in shown.out
    assert re.search(r"away since \d{4}-\d\d-\d\d [\d:]{8} UTC", shown.err)
    listed = owner.run("ports", own_workspace.name, "--output", "json")
    assert [(each["port"], each["listening"]) for each in listed.json()] == [(8080, False)]
    assert "away since" in listed.err


def test_before_the_agent_has_come_that_is_said_and_apps_are_listed(make_deployment):
    made = make_deployment()
    made.admin.run("templates", "push", "default", "-",
                   stdin="apps:\n  - {slug: lab, url: 'http://localhost'}\n")
    ws = made.workspace(agent=False)
    shown = made.admin.run("ports", ws.name)
    assert "never been connected" in shown.err
    assert "lab" in shown.out


# ---- adit ports, list and show --watch ----


@pytest.fixture
def watching(site, supervisor):
    """Starts a command with --watch of the administrator's."""
    def start(*args):
        return adit.Cli(supervisor, site.admin.home, "admin").start(*args, "--watch")
    return start


def test_ports_watch_tells_each_change_as_a_line(site, watching, service):
    command = watching("ports", "dev", "--output", "json")
    command.wait_event(event="ports")
    command.wait_event(event="apps")
    web = service("http")
    until(lambda: any(port_in(each["data"], web.port) for each in command.events(event="ports")),
          "the service in a line")
    assert command.stop() == []


@pytest.mark.parametrize("command, text", [(("list",), "dev"), (("show", "dev"), "connected"),
                                           (("ports", "dev"), "PORT")])
def test_watching_prints_the_picture_and_ends_well_when_interrupted(command, text, watching):
    started = watching(*command)
    until(lambda: text in started.text(), "the picture")
    started.signal(signal.SIGINT)
    assert started.wait_exit() == 0


def test_watching_on_a_terminal_shows_what_there_is_room_for(make_deployment):
    made = make_deployment()
    ws = made.workspace(agent=False)
    ports = [str(port) for port in range(20000, 20012)]
    for port in ports:
        made.admin.run("share", ws.name, port, "--level", "owner")
    rows, columns = 14, 60
    terminal = Terminal(made.admin, "ports", ws.name, "--watch", rows=rows, columns=columns)
    hint = "without --watch all are shown"
    terminal.wait(hint.encode())
    drawn = next(each for each in terminal.seen.decode().split("\x1b[H\x1b[2J") if hint in each)
    lines = re.sub(r"\x1b\[\d*m", "", drawn).splitlines()
    assert lines[0].startswith("PORT") and ports[0] in "".join(lines)
    assert ports[-1] not in "".join(lines)
    assert sum(-(-len(line) // columns) or 1 for line in lines) < rows
    terminal.resize(200, 200)
    terminal.wait(ports[-1].encode())
    terminal.type(b"\x03")
    assert terminal.end() == 0


def test_watching_says_when_the_server_is_away_and_goes_on(make_deployment, supervisor):
    made = make_deployment()
    command = made.admin.start("list", "--watch", "--output", "json")
    command.wait_event(event="workspaces")
    made.crash()
    command.wait_event(event="away")
    made.start()
    command.wait_event(event="connected", timeout=15)
    made.admin.run("create", "later")
    until(lambda: any("later" in [w["name"] for w in each["data"]["workspaces"]]
                      for each in command.events(event="workspaces")), "a change after that")
    assert command.stop() == []


def test_watching_what_is_not_there_is_refused(site):
    assert site.admin.run("show", "none", "--watch", code=1).err
    site.admin.run("list", "--names", "--watch", code=2)
