"""The direct path beside the relay: when it comes up, what goes over it, and what when it dies."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest

from harness import net
from harness.adit import Cli, PROGRAM, clean_environment
from harness.apps import token_of
from harness.events import Events
from harness.pathway import Road
from harness.wait import SCALE, until

# A new connection finds the relay again in this time after the direct path fell silent.
SILENCE_LIMIT_S = 6


def exchange(port, data=b"through", timeout=10):
    return net.exchange(("127.0.0.1", port), data, timeout=timeout)


def works(port):
    try:
        return exchange(port) == b"through"
    except OSError:
        return False


def agent_port(agent):
    """The port on which an agent takes direct connections, from its log."""
    return int(agent.wait_line(r"taking direct connections.*port=(\d+)").group(1))


def start_forward(workspace, supervisor, *args):
    mine = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    return mine.forward(workspace.name, *args)


@pytest.fixture
def road():
    made = Road()
    yield made
    made.close()


@pytest.fixture
def mapped(own_deployment, road):
    """A workspace whose agent is to be reached directly through the road only."""
    workspace = own_deployment.workspace(agent=False)
    workspace.start_agent("--direct-address", f"127.0.0.1:{road.port}")
    road.to = agent_port(workspace.agent)
    return workspace


# ---- it comes up ----

def test_a_forward_starts_on_the_relay_and_becomes_direct(workspace, forward, tcp_echo):
    running = forward("--tcp", f"{net.free_port()}:{tcp_echo.port}")
    assert running.wait_event("connected")["path"] == "relayed"
    event = running.wait_event("path")
    assert event["path"] == "direct"
    assert int(event["address"].rsplit(":", 1)[1]) == agent_port(workspace.agent)
    assert works(running.ports[0])


def test_the_record_tells_which_way_a_connection_went(own_workspace, supervisor, tcp_echo):
    running = start_forward(own_workspace, supervisor, "--tcp",
                            f"{net.free_port()}:{tcp_echo.port}")
    running.wait_event("path", path="direct")
    assert works(running.ports[0])
    until(lambda: "direct" in recorded(own_workspace), "a direct connection on record")
    running.stop()
    running = start_forward(own_workspace, supervisor, "--no-direct", "--tcp",
                            f"{net.free_port()}:{tcp_echo.port}")
    assert works(running.ports[0])
    until(lambda: "relay" in recorded(own_workspace), "a relayed connection on record")
    numbers = own_workspace.deployment.metrics()
    for path in ("direct", "relay"):
        assert numbers[f'adit_forwards_total{{path="{path}"}}'] >= 1
        assert numbers[f'adit_forward_bytes_total{{path="{path}"}}'] > 0


def shown_direct(workspace):
    shown = workspace.owner.run("show", workspace.name, "--output", "json").json()
    return shown["agents"][0].get("direct_connections")


def test_what_comes_to_the_agents_port_is_counted(own_workspace, supervisor):
    deployment = own_workspace.deployment
    until(lambda: shown_direct(own_workspace) == {"accepted": 0, "refused": 0}, "the first counts")
    with Events(deployment, token_of(own_workspace.owner, deployment.url),
                f"{own_workspace.owner.name}/{own_workspace.name}") as events:
        def wait_counts(good):
            events.wait("workspace", lambda data: good(
                data["agents"][0].get("direct_connections", {})), timeout=10)
        events.wait("forwards")  # it is watched by now
        with socket.create_connection(("127.0.0.1", agent_port(own_workspace.agent))) as stranger:
            stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
            wait_counts(lambda counts: counts == {"accepted": 0, "refused": 1})
        running = start_forward(own_workspace, supervisor, "--tcp", f"{net.free_port()}:9")
        running.wait_event("path", path="direct")
        wait_counts(lambda counts: counts["accepted"] >= 1 and counts["refused"] == 1)
        running.stop()
    assert "in, 1 refused" in own_workspace.owner.run("show", own_workspace.name).out
    numbers = deployment.metrics()
    assert numbers["adit_agents_direct_accepted_total"] >= 1
    assert numbers["adit_agents_direct_refused_total"] == 1


def recorded(workspace):
    shown = workspace.owner.run("audit", "--action", "forward_close", "--output", "json").json()
    events = shown["events"] if isinstance(shown, dict) else shown
    return [event.get("path") or event.get("carrier") for event in events]


def test_it_works_over_ipv6(own_deployment, supervisor, tcp_echo):
    workspace = own_deployment.workspace(agent=False)
    port = net.free_port(host="::1")
    workspace.start_agent("--direct-port", str(port), "--direct-address", "::1")
    running = start_forward(workspace, supervisor, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    running.wait_event("path", path="direct", address=f"[::1]:{port}")
    assert works(running.ports[0])


def test_a_port_that_cannot_be_had_is_an_error_only_if_it_was_asked_for(own_deployment, tcp_server):
    taken = tcp_server(net.echo, ("0.0.0.0", 0))
    workspace = own_deployment.workspace(agent=False)
    ended = workspace.owner.run("agent", "--url", own_deployment.url, "--token-file",
                                workspace.token_file, "--direct-port", taken.port, code=1)
    assert str(taken.port) in ended.err
    workspace.owner.run("agent", "--url", own_deployment.url, "--token-file",
                        workspace.token_file, "--direct-address", "nowhere", code=1)
    workspace.owner.run("agent", "--url", own_deployment.url, "--token-file",
                        workspace.token_file, "--direct-port", "65536", code=2)


@pytest.mark.parametrize("switch", ["command", "agent", "server"])
def test_each_side_can_keep_to_the_relay(switch, make_deployment, supervisor, tcp_echo):
    deployment = make_deployment(*(["--no-direct"] if switch == "server" else []))
    workspace = deployment.workspace(agent=False)
    workspace.start_agent(*(["--no-direct"] if switch == "agent" else []))
    shown = workspace.owner.run("show", workspace.name, "--output", "json").json()
    assert shown["agents"][0]["direct"] == (switch == "command")
    args = ["--no-direct"] if switch == "command" else []
    running = start_forward(workspace, supervisor, *args, "--tcp",
                            f"{net.free_port()}:{tcp_echo.port}")
    assert works(running.ports[0])
    pings = workspace.owner.run("ping", workspace.name, "-c", "3", "--output", "json", *args)
    assert {event["path"] for event in pings.json_lines() if "path" in event} == {"relayed"}
    assert running.process.events(event="path") == []
    if switch == "agent":
        assert "direct" not in workspace.agent.text()


def test_connections_to_a_reverse_listener_are_taken_directly(mapped, road, supervisor, tcp_echo):
    running = start_forward(mapped, supervisor, "-R", f"0:127.0.0.1:{tcp_echo.port}")
    running.wait_event("path", path="direct")
    port = running.ports[0]
    assert works(port)
    until(lambda: recorded(mapped) == ["direct"], "a direct connection on record")
    with socket.create_connection(("127.0.0.1", port)) as s:
        s.sendall(b"direct")
        assert s.recv(100) == b"direct"
        at = running.process.position()
        road.block()
        running.process.wait_event(event="path", path="relayed", since=at)
    # The listener was on the relay all the time.
    assert works(port)
    until(lambda: "relay" in recorded(mapped), "a relayed connection on record")


# ---- it dies ----

def test_a_dead_direct_path_leaves_the_relay_and_comes_back(mapped, road, supervisor, tcp_server):
    server = tcp_server(net.echo)
    running = start_forward(mapped, supervisor, "--tcp", f"{net.free_port()}:{server.port}")
    with socket.create_connection(("127.0.0.1", running.ports[0])) as early:
        early.sendall(b"on the relay or not")
        assert early.recv(100) == b"on the relay or not"
        running.wait_event("path", path="direct", address=f"127.0.0.1:{road.port}")
        with socket.create_connection(("127.0.0.1", running.ports[0])) as late:
            late.sendall(b"direct")
            assert late.recv(100) == b"direct"
            at = running.process.position()
            road.block()
            with pytest.raises(ConnectionResetError):  # lost, which is no end in order
                late.recv(100)
        running.process.wait_event(event="path", path="relayed", since=at)
        assert works(running.ports[0])
    at = running.process.position()
    road.unblock()
    running.process.wait_event(event="path", path="direct", since=at, timeout=20)
    assert works(running.ports[0])


def test_what_is_open_on_the_relay_outlives_the_direct_path(own_deployment, road, supervisor,
                                                            tcp_echo):
    workspace = own_deployment.workspace(agent=False)
    road.block()
    workspace.start_agent("--direct-address", f"127.0.0.1:{road.port}")
    road.to = agent_port(workspace.agent)
    running = start_forward(workspace, supervisor, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    with socket.create_connection(("127.0.0.1", running.ports[0])) as relayed:
        relayed.sendall(b"first")
        assert relayed.recv(100) == b"first"
        road.unblock()
        running.wait_event("path", path="direct", timeout=20)
        relayed.sendall(b"second")
        assert relayed.recv(100) == b"second"
        road.block()
        running.process.wait_event(event="path", path="relayed")
        relayed.sendall(b"third")
        assert relayed.recv(100) == b"third"


def test_a_silent_direct_path_is_noticed_by_what_is_opened_on_it(mapped, road, supervisor,
                                                                 tcp_echo):
    running = start_forward(mapped, supervisor, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    running.wait_event("path", path="direct")
    assert works(running.ports[0])
    time.sleep(0.2)  # what is tested: the last life sign was a while ago
    road.silence()
    began = time.monotonic()
    assert exchange(running.ports[0], timeout=20) == b"through"
    assert time.monotonic() - began < SILENCE_LIMIT_S * SCALE
    running.process.wait_event(event="path", path="relayed")


def test_an_address_where_somebody_else_answers_is_not_it(own_deployment, supervisor, tcp_echo):
    other = own_deployment.workspace()
    workspace = own_deployment.workspace(agent=False)
    workspace.start_agent("--direct-address",
                          f"127.0.0.1:{agent_port(other.agent)},127.0.0.1:{tcp_echo.port}")
    running = start_forward(workspace, supervisor, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    assert works(running.ports[0])
    pings = workspace.owner.run("ping", workspace.name, "-c", "3", "--output", "json").json_lines()
    assert {event["path"] for event in pings if "path" in event} == {"relayed"}
    assert running.process.events(event="path") == []


def test_a_withdrawn_right_ends_direct_connections_too(own_deployment, supervisor, tcp_echo):
    person = own_deployment.user()
    workspace = own_deployment.workspace(person)
    running = start_forward(workspace, supervisor, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    running.wait_event("path", path="direct")
    with socket.create_connection(("127.0.0.1", running.ports[0])) as s:
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        running.process.killed = True  # it ends by itself: not allowed any longer
        own_deployment.admin.run("users", "suspend", person.name)
        s.settimeout(5 * SCALE)
        try:
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass


@pytest.mark.parametrize("end", ["crash", "restart"])
def test_direct_connections_go_on_while_the_server_is_away(end, own_deployment, supervisor,
                                                           tcp_echo):
    person = own_deployment.user()
    workspace = own_deployment.workspace(person)
    running = start_forward(workspace, supervisor, "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    running.wait_event("path", path="direct")
    with socket.create_connection(("127.0.0.1", running.ports[0])) as s:
        def still_there():
            s.sendall(b"hello")
            return s.recv(100) == b"hello"
        assert still_there()
        if end == "crash":
            own_deployment.crash()
        else:
            assert own_deployment.server.stop() == []
        running.wait_event("waiting", timeout=20)
        assert still_there() and works(running.ports[0])
        at = running.process.position()
        own_deployment.start()
        running.process.wait_event(event="connected", since=at, timeout=20)
        workspace.wait_connected()
        running.process.wait_event(event="path", path="direct", since=at)
        assert still_there() and works(running.ports[0])
        # The right is the server's again.
        own_deployment.admin.run("users", "suspend", person.name)
        running.process.killed = True  # it ends by itself: not allowed any longer
        s.settimeout(5 * SCALE)
        try:
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass


def test_an_agent_that_is_refused_ends_its_direct_connections(own_workspace, supervisor, tcp_echo):
    running = start_forward(own_workspace, supervisor, "--tcp",
                            f"{net.free_port()}:{tcp_echo.port}")
    running.wait_event("path", path="direct")
    with socket.create_connection(("127.0.0.1", running.ports[0])) as s:
        s.sendall(b"before")
        assert s.recv(100) == b"before"
        running.process.killed = True
        own_workspace.owner.run("delete", own_workspace.name, "--yes")
        s.settimeout(5 * SCALE)
        try:
            assert s.recv(100) == b""
        except ConnectionResetError:
            pass


# ---- adit ping ----

def test_ping_shows_the_moment_when_it_becomes_direct(workspace, supervisor):
    owner = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    running = owner.start("ping", workspace.name, "--output", "json", stop_signal=signal.SIGINT)
    running.wait_event(event="pong", path="direct")
    assert running.stop() == []
    moment = running.events(event="path")
    assert len(moment) == 1 and moment[0]["path"] == "direct"
    assert moment[0]["after_ms"] < 5000 * SCALE
    pongs = running.events(event="pong")
    assert [event["seq"] for event in pongs] == list(range(1, len(pongs) + 1))
    assert pongs[-1]["path"] == "direct" and pongs[-1]["address"] == moment[0]["address"]
    assert all(0 < event["rtt_ms"] < 5000 * SCALE for event in pongs)
    running = owner.start("ping", workspace.name, stop_signal=signal.SIGINT)
    running.wait_line("now direct, at 127.0.0.1:")
    running.wait_line(": direct 127.0.0.1:")
    assert running.stop() == []
    assert "2 sent, 2 answered" in owner.run("ping", workspace.name, "-c", "2").out


def test_ping_ends_with_the_code_that_fits(own_deployment):
    workspace = own_deployment.workspace()
    stranger = own_deployment.user()
    assert stranger.run("ping", f"admin/{workspace.name}", "-c", "1", code=None).code in (1, 3)
    workspace.owner.run("ping", workspace.name, "-c", "0", code=2)
    workspace.owner.run("ping", code=2)
    workspace.agent.stop()
    workspace.wait_connected(False)
    result = workspace.owner.run("ping", workspace.name, "-c", "1", code=4)
    assert "was not reached" in result.err


# ---- strangers at the port ----

def hello(port, **options):
    """What a TLS client is told: the fault, or the certificate that it saw."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["adit/1"])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        try:
            with context.wrap_socket(raw, **options) as tls:
                return tls.getpeercert(True)
        except (ssl.SSLError, OSError) as fault:
            return str(fault)


def test_strangers_are_shown_nothing(workspace):
    port = agent_port(workspace.agent)
    assert "UNRECOGNIZED_NAME" in hello(port).upper()
    assert "UNRECOGNIZED_NAME" in hello(port, server_hostname=32 * "0" + ".invalid").upper()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = s.recv(1000)
        assert b"HTTP" not in answer and b"adit" not in answer


def test_a_crowd_of_silent_strangers_neither_stays_nor_keeps_others_out(own_workspace):
    port = agent_port(own_workspace.agent)
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(200)]
    events = own_workspace.owner.run("ping", own_workspace.name, "-c", "2", "--output",
                                     "json").json_lines()
    assert any(event["path"] == "direct" for event in events if "path" in event)
    for each in crowd:
        each.settimeout(10 * SCALE)
        try:
            assert each.recv(1) == b""
        except ConnectionResetError:
            pass
        each.close()
    assert own_workspace.agent.running


# ---- real networks ----

def ip(*args):
    subprocess.run(["ip", *args], check=True, timeout=20)


def can_make_networks():
    return os.geteuid() == 0 and shutil.which("ip") and subprocess.run(
        ["ip", "netns", "add", "adit-probe"], check=False, capture_output=True,
        timeout=20).returncode == 0 and not subprocess.run(
            ["ip", "netns", "del", "adit-probe"], check=False, timeout=20).returncode


class Networks:
    """A server that both sides see, and a cable between command and agent without a use yet: its
    agent's end has an address, but the command's has no route to it."""

    def __init__(self, supervisor, root):
        self.supervisor = supervisor
        self.root = root
        self.names = {role: f"adit-{os.getpid()}-{role}" for role in ("server", "command", "agent")}
        self.running = None

    def make(self):
        for name in self.names.values():
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        self.connect("command", "server", "10.91.1.2/24", "10.91.1.1/24")
        self.connect("agent", "server", "10.91.2.2/24", "10.91.2.1/24")
        self.connect("agent", "command", "10.91.3.2/24", None)
        self.ip("agent", "route", "add", "10.91.1.2/32", "dev", "to-command")

    def connect(self, near, far, near_address, far_address):
        ip("link", "add", f"to-{far}", "netns", self.names[near], "type", "veth", "peer", "name",
           f"to-{near}", "netns", self.names[far])
        for here, there, address in ((near, far, near_address), (far, near, far_address)):
            if address:
                self.ip(here, "addr", "add", address, "dev", f"to-{there}")
            self.ip(here, "link", "set", f"to-{there}", "up")

    def ip(self, role, *args):
        ip("-n", self.names[role], *args)

    def remove(self):
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=20)

    def inside(self, role, *argv):
        return ["ip", "netns", "exec", self.names[role], *map(str, argv)]

    def start(self, role, name, *argv):
        home = self.root / role
        home.mkdir(exist_ok=True)
        return self.supervisor.start(name, self.inside(role, *argv), env=clean_environment(home),
                                     cwd=home)

    def command(self, *args, stdin=""):
        home = self.root / "command"
        home.mkdir(exist_ok=True)
        done = subprocess.run(self.inside("command", PROGRAM, *args), env=clean_environment(home),
                              input=stdin.encode(), capture_output=True, timeout=30 * SCALE,
                              check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def start_all(self):
        """Server, agent, a service beside it, and a forward to that."""
        ready = self.root / "ready"
        self.start("server", "server", PROGRAM, "server", "--listen", "*:7777", "--access-url",
                   "http://10.91.1.1:7777", "--data-dir", self.root / "data", "--ready-file", ready)
        until(ready.exists, "server listening", timeout=20)
        self.command("login", "http://10.91.1.1:7777", "--first-user", "--username", "ada",
                     "--password-stdin", stdin="correct horse battery\n")
        made = json.loads(self.command("create", "dev", "--output", "json"))
        token = self.root / "token"
        token.touch(mode=0o600)
        token.write_text(made["tokens"][0]["token"] + "\n")
        agent = self.start("agent", "agent", PROGRAM, "agent", "--url", "http://10.91.2.1:7777",
                           "--token-file", token)
        agent.wait_line("connected to the server")
        self.start("agent", "echo", sys.executable, "-c", ECHO).wait_line("listening")
        self.running = self.start("command", "port-forward", PROGRAM, "port-forward", "dev",
                                  "--tcp", "18080:8080", "--output", "json")
        self.running.wait_event(event="ready", timeout=20)

    def through(self, timeout=20):
        """Sends a line through the forward and back; how long that took."""
        began = time.monotonic()
        done = subprocess.run(self.inside("command", sys.executable, "-c", CLIENT),
                              capture_output=True, timeout=timeout * SCALE, check=False)
        assert done.stdout == b"through\n", done.stderr
        return time.monotonic() - began


@pytest.fixture
def networks(supervisor, tmp_path):
    if not can_make_networks():
        pytest.skip("network namespaces need root")
    made = Networks(supervisor, tmp_path)
    try:
        made.make()
        made.start_all()
        yield made
    finally:
        made.remove()


def test_a_route_makes_it_direct_and_a_cut_cable_relayed_again(networks):
    running = networks.running
    networks.through()
    assert running.events(event="path") == []

    networks.ip("command", "route", "add", "10.91.3.2/32", "dev", "to-agent")
    event = running.wait_event(event="path", path="direct", timeout=20)
    assert event["address"].startswith("10.91.3.2:")
    networks.through()

    at = running.position()
    networks.ip("agent", "link", "set", "to-command", "down")
    assert networks.through(30) < SILENCE_LIMIT_S * SCALE + 2
    running.wait_event(event="path", path="relayed", since=at, timeout=20)
    networks.through()

    at = running.position()
    networks.ip("agent", "link", "set", "to-command", "up")
    networks.ip("agent", "route", "replace", "10.91.1.2/32", "dev", "to-command")
    running.wait_event(event="path", path="direct", timeout=60, since=at)
    networks.through()


def test_a_new_address_of_the_agent_is_noticed(networks):
    networks.ip("command", "route", "add", "10.91.4.0/24", "dev", "to-agent")
    networks.through()
    assert networks.running.events(event="path") == []
    networks.ip("agent", "addr", "add", "10.91.4.2/24", "dev", "to-command")
    event = networks.running.wait_event(event="path", path="direct", timeout=20)
    assert event["address"].startswith("10.91.4.2:")
    networks.through()


ECHO = """
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(self.rfile.readline())
socketserver.ThreadingTCPServer.allow_reuse_address = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", 8080), Echo)
print("listening", flush=True)
server.serve_forever()
"""

CLIENT = """
import socket
s = socket.create_connection(("127.0.0.1", 18080), timeout=30)
s.sendall(b"through\\n")
print(s.makefile().readline(), end="")
"""
