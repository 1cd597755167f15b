"""`adit port-forward` against other people's clients and servers."""
import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import threading

import pytest

from harness import net
from harness.adit import PROGRAM, Cli, clean_environment
from harness.wait import SCALE, until

HOST = "127.0.0.1"


def run(*argv, stdin=b"", timeout=20):
    """A program of somebody else, run to its end; what it printed."""
    done = subprocess.run(list(map(str, argv)), input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout * SCALE, check=False)
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stderr.decode()}"
    return done.stdout


def http_page(connection):
    """One page, whatever was asked for."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = connection.recv(4096)
        if not piece:
            return
        head += piece
    body = b"path " + head.split()[1] + b"\n"
    connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                       % (len(body), body))


# ---- --tcp ----

def test_a_port_answers_on_both_loopbacks(forward, tcp_echo):
    port = net.free_port()
    forward("--tcp", f"{port}:{tcp_echo.port}")
    assert net.exchange((HOST, port), b"four") == b"four"
    assert net.exchange(("::1", port), b"six") == b"six"


def test_a_list_with_ranges_opens_every_port(forward, tcp_server):
    first, target = net.free_range(3), net.free_range(3)
    other = net.free_port()
    servers = [tcp_server(lambda c, i=i: c.sendall(b"%d" % i), (HOST, target + i))
               for i in range(3)]
    running = forward("--tcp", f"{first}-{first + 2}:{target}-{target + 2},{other}:{target + 1}")
    assert running.ports == [first, first + 1, first + 2, other]
    assert [net.exchange((HOST, port), b"") for port in running.ports] == [b"0", b"1", b"2", b"1"]
    assert all(server.accepted for server in servers)


def test_another_host_is_reached_as_the_workspace_sees_it(forward, tcp_server):
    elsewhere = tcp_server(net.echo, ("127.0.0.77", 0))
    port = net.free_port()
    forward("-L", f"{port}:127.0.0.77:{elsewhere.port}")
    assert net.exchange((HOST, port), b"over there") == b"over there"


def test_the_target_may_listen_on_ipv6_only(forward, tcp_server):
    six = tcp_server(net.echo, ("::1", 0))
    port, named = net.free_port(), net.free_port()
    forward("--tcp", f"{port}:{six.port}", "--tcp", f"{named}:[::1]:{six.port}")
    assert net.exchange((HOST, port), b"fallback") == b"fallback"
    assert net.exchange((HOST, named), b"named") == b"named"


def test_half_close_is_kept(forward, tcp_server):
    server = tcp_server(net.answer_after_end)
    port = net.free_port()
    forward("--tcp", f"{port}:{server.port}")
    data = os.urandom(3_000_000)
    answer = run("nc", "-N", HOST, port, stdin=data).split()
    assert answer == [b"3000000", hashlib.sha256(data).hexdigest().encode()]


def test_two_hundred_connections_at_once(forward, tcp_echo):
    port = net.free_port()
    forward("--tcp", f"{port}:{tcp_echo.port}")
    connections = [socket.create_connection((HOST, port), timeout=20) for _ in range(200)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(b"number %d\n" % number)
        until(lambda: tcp_echo.open >= 200, "all of them open at the target")
        for number, connection in enumerate(connections):
            assert connection.makefile("rb").readline() == b"number %d\n" % number
    finally:
        for connection in connections:
            connection.close()
    until(lambda: tcp_echo.open == 0, "all of them closed at the target")


@pytest.mark.slow
@pytest.mark.limit(180)
def test_a_gibibyte_comes_whole(forward, tcp_server):
    source = net.Source(1 << 30)
    server = tcp_server(source)
    port = net.free_port()
    forward("--tcp", f"{port}:{server.port}")
    with socket.create_connection((HOST, port), timeout=60) as connection:
        assert net.read_digest(connection) == (source.size, source.sha256)


def test_a_long_lived_connection_stays(forward, tcp_echo):
    port = net.free_port()
    running = forward("--tcp", f"{port}:{tcp_echo.port}")
    with socket.create_connection((HOST, port), timeout=20) as connection, \
            connection.makefile("rwb") as lines:
        for number in range(50):
            lines.write(b"select %d;\n" % number)
            lines.flush()
            assert lines.readline() == b"select %d;\n" % number
    event = running.wait_event("connection_closed")
    assert event["received"] == event["sent"] > 500


def test_a_refused_target_is_told_and_resets_the_client(forward):
    port, nothing = net.free_port(), net.free_port()
    running = forward("--tcp", f"{port}:{nothing}")
    with pytest.raises(ConnectionResetError):
        # Told once: when the connection is made, if it comes that soon.
        with socket.create_connection((HOST, port), timeout=20) as connection:
            assert connection.recv(1) is None
    event = running.wait_event("connection_failed")
    assert event["result"] == "refused"
    assert str(nothing) in event["target"]


# ---- Unix sockets ----

def test_unix_sockets_on_either_side(forward, tcp_server, tmp_path):
    there = str(tmp_path / "there")
    tcp_server(net.echo, there)
    echo = tcp_server()
    here, to_port, port = str(tmp_path / "here"), str(tmp_path / "to-port"), net.free_port()
    running = forward("-L", f"{here}:{there}", "-L", f"{port}:{there}",
                      "-L", f"{to_port}:localhost:{echo.port}")
    assert net.exchange(here, b"path to path") == b"path to path"
    assert net.exchange((HOST, port), b"port to path") == b"port to path"
    assert run("socat", "-t5", "-", f"UNIX-CONNECT:{to_port}", stdin=b"path to port") == \
        b"path to port"
    assert os.stat(here).st_mode & 0o777 == 0o600
    running.stop()
    assert not os.path.exists(here) and not os.path.exists(to_port)


# ---- -R ----

def test_a_reverse_forward_names_its_port_and_serves_a_hundred(forward, tcp_echo):
    running = forward("-R", f"0:localhost:{tcp_echo.port}")
    port = running.ports[0]
    assert port > 0
    connections = [socket.create_connection((HOST, port), timeout=20) for _ in range(100)]
    for number, connection in enumerate(connections):
        connection.sendall(b"number %d\n" % number)
    for number, connection in enumerate(connections):
        assert connection.makefile("rb").readline() == b"number %d\n" % number
        connection.close()
    running.stop()
    until(lambda: not net.listens(port), "the listener in the workspace is gone")


def test_reverse_forwards_take_unix_sockets_and_socks(forward, tcp_server, tmp_path):
    there, here = str(tmp_path / "there"), str(tmp_path / "here")
    tcp_server(net.echo, here)
    page = tcp_server(http_page)
    socks = net.free_port()
    forward("-R", f"{there}:{here}", "-R", str(socks))
    assert net.exchange(there, b"reverse path") == b"reverse path"
    assert run("curl", "-sS", "--socks5-hostname", f"{HOST}:{socks}",
               f"http://localhost:{page.port}/x") == b"path /x\n"


def test_a_reverse_port_in_use_ends_the_command(workspace, supervisor, tcp_echo):
    taken = tcp_echo.port
    process = workspace.owner.start("port-forward", workspace.name, "-R",
                                    f"{taken}:localhost:80", good_codes=(1,))
    assert process.wait_exit() == 1
    assert "cannot listen" in process.text("err")


# ---- -D ----

@pytest.fixture
def proxy(forward, tcp_server):
    """A -D listener, and a web server that it reaches."""
    port = net.free_port()
    forward("-D", str(port))
    return port, tcp_server(http_page).port


@pytest.mark.parametrize("option", ["--socks4", "--socks4a", "--socks5", "--socks5-hostname",
                                    "--proxy", "--proxytunnel"])
def test_curl_gets_a_page_through_the_proxy(option, proxy):
    port, web = proxy
    how = {"--proxy": ["--proxy", f"http://{HOST}:{port}"],
           "--proxytunnel": ["--proxytunnel", "--proxy", f"http://{HOST}:{port}"]}
    arguments = how.get(option, [option, f"{HOST}:{port}"])
    assert run("curl", "-sS", "--noproxy", "", *arguments, f"http://{HOST}:{web}/page") == \
        b"path /page\n"
    assert run("curl", "-sS", "--noproxy", "", *arguments, f"http://localhost:{web}/name") == \
        b"path /name\n"


def test_the_proxy_says_why_a_target_is_not_reached(proxy):
    port, _ = proxy
    nothing = net.free_port()
    done = subprocess.run(["curl", "-sS", "--socks5-hostname", f"{HOST}:{port}",
                           f"http://{HOST}:{nothing}/"], capture_output=True, check=False)
    assert done.returncode == 97 and b"(5)" in done.stderr
    done = subprocess.run(["curl", "-sS", "-o", "/dev/null", "-w", "%{http_connect}", "--noproxy",
                           "", "--proxytunnel", "--proxy", f"http://{HOST}:{port}",
                           f"http://{HOST}:{nothing}/"], capture_output=True, check=False)
    assert done.stdout == b"502"


def test_socks_carries_udp(proxy, udp_echo):
    port, _ = proxy
    with socket.create_connection((HOST, port), timeout=20) as control, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        control.sendall(b"\x05\x01\x00\x05\x03\x00\x01\0\0\0\0\0\0")
        reply = control.recv(12, socket.MSG_WAITALL)
        assert reply[:2] == b"\x05\x00" and reply[3] == 0
        relay = (HOST, int.from_bytes(reply[10:12], "big"))
        header = b"\0\0\0\x01" + socket.inet_aton(HOST) + udp_echo.port.to_bytes(2, "big")
        datagrams.settimeout(10)
        datagrams.sendto(header + b"question", relay)
        assert datagrams.recv(65536) == header + b"question"


# ---- --udp ----

@pytest.mark.parametrize("size", [1, 1400, 9000, 65507])
def test_datagrams_come_back_whole(size, forward, udp_echo):
    port = net.free_port(socket.SOCK_DGRAM)
    forward("--udp", f"{port}:{udp_echo.port}")
    data = os.urandom(size)
    assert net.udp_exchange(port, data) == data
    assert net.udp_exchange(port, data, host="::1") == data


def test_every_sender_has_its_own_flow(forward, udp_echo):
    port = net.free_port(socket.SOCK_DGRAM)
    running = forward("--udp", f"{port}:{udp_echo.port}")
    with contextlib.ExitStack() as senders:
        for number in range(20):  # that are open at the same time, so that no two have one port
            sender = senders.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sender.settimeout(5)
            sender.connect((HOST, port))
            sender.send(b"%d" % number)
            assert sender.recv(100) == b"%d" % number
    until(lambda: len(udp_echo.peers) == 20, "a source for each sender")
    until(lambda: len(running.process.events(event="connection_opened")) >= 20, "an event for each")
    assert len(running.process.events(event="connection_opened")) == 20


def test_socat_talks_udp(forward, udp_echo):
    port = net.free_port(socket.SOCK_DGRAM)
    forward("--udp", f"{port}:{udp_echo.port}")
    assert run("socat", "-t2", "-", f"UDP4:{HOST}:{port}", stdin=b"from socat") == b"from socat"


def dns_query(name, number=0x1234):
    labels = b"".join(bytes([len(each)]) + each for each in name.encode().split(b"."))
    return number.to_bytes(2, "big") + b"\x01\0\0\x01\0\0\0\0\0\0" + labels + b"\0\0\x01\0\x01"


def test_names_are_resolved_by_the_workspaces_dns_server(forward, supervisor, tmp_path):
    server, port = net.free_port_of_both(), net.free_port(socket.SOCK_DGRAM)
    supervisor.start("dnsmasq", [
        "/usr/sbin/dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts",
        "--no-daemon", f"--port={server}", f"--listen-address={HOST}", "--bind-interfaces",
        "--address=/db.corp/10.20.30.40", "--pid-file", "--conf-file=/dev/null"],
        env={"PATH": os.environ["PATH"]}, good_codes=None)
    forward("--udp", f"{port}:{server}")

    def answer():
        try:
            return net.udp_exchange(port, dns_query("db.corp"), timeout=1)
        except OSError:
            return None
    reply = until(answer, "an answer to the query")
    assert reply[:2] == b"\x12\x34" and reply.endswith(socket.inet_aton("10.20.30.40"))


# ---- the listeners ----

def test_a_port_in_use_opens_nothing_and_names_a_free_one(workspace, tcp_echo):
    first = net.free_port()
    done = workspace.owner.run("port-forward", workspace.name, "--tcp", first, "--tcp",
                               f"{tcp_echo.port}:80", code=1)
    assert f"port {tcp_echo.port} on 127.0.0.1 is in use; port " in done.err
    assert "--auto-port" in done.err
    assert not net.listens(first)


def test_auto_port_takes_a_free_one(forward, tcp_echo):
    running = forward("--tcp", f"{tcp_echo.port}:{tcp_echo.port}", "--auto-port")
    assert running.ports[0] != tcp_echo.port
    assert running.listeners[0]["moved"] is True
    assert net.exchange((HOST, running.ports[0]), b"moved") == b"moved"


def test_a_public_listener_is_warned_about(forward, tcp_echo):
    port = net.free_port()
    running = forward("--tcp", f"*:{port}:{tcp_echo.port}")
    assert "everyone who can reach this machine" in running.wait_event("warning")["message"]


def test_another_user_of_the_machine_is_turned_away(forward, tcp_echo):
    if os.geteuid() != 0:
        pytest.skip("takes root to be somebody else")
    port = net.free_port()
    running = forward("--tcp", f"{port}:{tcp_echo.port}")
    client = ("import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
              f"s = socket.create_connection(('{HOST}', {port}))\n"
              "s.sendall(b'x'); sys.exit(len(s.recv(1)))")
    done = subprocess.run(["/usr/bin/python3", "-c", client], check=False, capture_output=True)
    assert done.returncode == 0 or b"ConnectionResetError" in done.stderr
    assert running.wait_event("connection_refused")["user"] == "nobody"
    assert tcp_echo.accepted == 0
    assert net.exchange((HOST, port), b"mine") == b"mine"


# ---- its life ----

def test_it_ends_in_order_on_sigterm(forward, tcp_echo):
    port = net.free_port()
    running = forward("--tcp", f"{port}:{tcp_echo.port}")
    with socket.create_connection((HOST, port), timeout=20) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        running.stop()
        assert connection.recv(1) == b""
    assert not net.listens(port)


def test_nohup_is_respected(workspace, supervisor, tcp_echo):
    port = net.free_port()
    process = supervisor.start("port-forward", [
        "/bin/sh", "-c", 'trap "" HUP; exec "$0" "$@"', PROGRAM, "port-forward", workspace.name,
        "--tcp", f"{port}:{tcp_echo.port}", "--output", "json"],
        env=clean_environment(workspace.owner.home), cwd=workspace.owner.home, good_codes=(0,))
    process.wait_event(event="ready")
    process.signal(signal.SIGHUP)
    assert net.exchange(("127.0.0.1", port), b"still here") == b"still here"
    process.signal(signal.SIGTERM)
    assert process.wait_exit() == 0


def test_without_json_it_prints_plain_lines(workspace, supervisor, tcp_echo):
    mine = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    port = net.free_port()
    process = mine.start("port-forward", workspace.name, "--tcp", f"{port}:{tcp_echo.port}")
    process.wait_line(rf"^Forwarding 127\.0\.0\.1:{port} -> 127\.0\.0\.1:{tcp_echo.port}$")
    process.wait_line(rf"^Connected to {workspace.name} \(relayed\)\.$")
    assert "\x1b" not in process.text()


def test_a_slow_stream_does_not_hold_up_a_fast_one(forward, tcp_server):
    gate = threading.Event()
    stuck = tcp_server(lambda connection: gate.wait(60))
    echo = tcp_server()
    slow, fast = net.free_port(), net.free_port()
    forward("--tcp", f"{slow}:{stuck.port}", "--tcp", f"{fast}:{echo.port}")
    with socket.create_connection((HOST, slow), timeout=20) as connection:
        connection.settimeout(1)
        try:
            while True:
                connection.sendall(bytes(1 << 20))
        except TimeoutError:
            pass
        data = os.urandom(2_000_000)
        assert net.exchange((HOST, fast), data) == data
    gate.set()
