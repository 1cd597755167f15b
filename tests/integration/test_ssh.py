"""`adit ssh` with Debian's stock client: sessions, forwards both ways, and what stays behind."""
import hashlib
import os
import signal
import socket
import subprocess
import time

import pytest

from harness import net
from harness.adit import PROGRAM, clean_environment
from harness.ssh_forward import sshds
from harness.wait import SCALE, until

HOST = "127.0.0.1"


@pytest.fixture
def ssh(workspace):
    """Runs `adit ssh` to its end."""
    def run(*args, **options):
        return workspace.owner.run("ssh", workspace.name, *args, **options)
    return run


@pytest.fixture
def ssh_start(workspace, supervisor):
    """Starts `adit ssh`, which goes on until it is stopped: by SIGKILL, because ssh may miss
    another signal (see harness/ssh_forward.py)."""
    def start(*args):
        return supervisor.start(
            "ssh", [PROGRAM, "ssh", workspace.name, "-o", "ExitOnForwardFailure=yes", *args],
            cwd=workspace.owner.home, good_codes=(0, 255, -signal.SIGKILL),
            stop_signal=signal.SIGKILL, env=clean_environment(workspace.owner.home))
    return start


def listens(port, host=HOST):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_the_exit_code_is_the_commands(ssh):
    assert ssh("exit 44", code=44).out == ""


def test_output_and_errors_keep_apart(ssh):
    result = ssh("echo one; exec >&-; head -c 300000 /dev/zero | tr '\\0' x >&2")
    assert result.out == "one\n"
    assert len(result.err) == 300000


def test_input_reaches_the_command(ssh):
    data = os.urandom(2_000_000)
    result = ssh("sha256sum", stdin=data)
    assert result.out.split()[0] == hashlib.sha256(data).hexdigest()


def test_options_of_the_command_are_not_adits(ssh):
    assert "Usage: ls" in ssh("ls", "--help").out


def test_a_terminal_is_there(ssh):
    assert ssh("-tt", "tty; stty size", stdin="").out.startswith("/dev/pts/")


@pytest.fixture
def ssh_config(workspace, ssh, tmp_path):
    """A configuration with which other programs than `adit ssh` get there: `-F FILE ... ws`."""
    user = ssh("id -un").out.strip()
    home = workspace.owner.home
    file = tmp_path / "ssh_config"
    file.write_text(f"""Host ws
    ProxyCommand {PROGRAM} ssh --stdio {workspace.name}
    IdentityFile {home}/config/adit/ssh_key
    IdentitiesOnly yes
    User {user}
    UserKnownHostsFile {tmp_path}/known_hosts
    StrictHostKeyChecking accept-new
    LogLevel ERROR
""")
    return file


def copy(workspace, *argv, stdin=b""):
    done = subprocess.run(list(map(str, argv)), input=stdin, cwd=workspace.owner.home,
                          env=clean_environment(workspace.owner.home), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60 * SCALE, check=False)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_copies_both_ways(workspace, ssh_config, tmp_path, protocol):
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(os.urandom(20_000_000))
    copy(workspace, "scp", protocol, "-F", ssh_config, here, f"ws:{there}")
    copy(workspace, "scp", protocol, "-F", ssh_config, f"ws:{there}", back)
    assert here.read_bytes() == back.read_bytes()


def test_sftp_copies_both_ways(workspace, ssh_config, tmp_path):
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    here.write_bytes(os.urandom(20_000_000))
    batch = f"put {here} {there}\nget {there} {back}\n".encode()
    copy(workspace, "sftp", "-F", ssh_config, "-b", "-", "ws", stdin=batch)
    assert here.read_bytes() == back.read_bytes()


def test_a_local_forward_reaches_a_port(ssh_start, tcp_echo):
    port = net.free_port()
    running = ssh_start("-N", "-L", f"{port}:127.0.0.1:{tcp_echo.port}")
    until(lambda: listens(port), "the listener is there", 20)
    assert net.exchange((HOST, port), b"through") == b"through"
    running.stop()


def test_a_socks_proxy_reaches_a_port(ssh_start, tcp_server):
    page = tcp_server(lambda c: c.sendall(b"HTTP/1.0 200 OK\r\n\r\nhere\n"))
    port = net.free_port()
    running = ssh_start("-N", "-D", str(port))
    until(lambda: listens(port), "the listener is there", 20)
    body = subprocess.run(["curl", "-s", "--http0.9", "-x", f"socks5h://{HOST}:{port}",
                           f"http://localhost:{page.port}/"], stdout=subprocess.PIPE, check=False)
    assert b"here" in body.stdout
    running.stop()


def test_stdio_forwarding_reaches_a_port(ssh, tcp_echo):
    assert ssh("-W", f"127.0.0.1:{tcp_echo.port}", stdin="hello").out == "hello"


def test_a_reverse_forward_comes_back(ssh_start, tcp_echo):
    port = net.free_port()
    running = ssh_start("-N", "-R", f"{port}:127.0.0.1:{tcp_echo.port}")
    until(lambda: listens(port), "the listener is there", 20)
    assert net.exchange((HOST, port), b"back") == b"back"
    assert net.exchange(("::1", port), b"six") == b"six"
    running.stop()


def test_port_0_is_told(ssh, tcp_echo):
    result = ssh("-o", "LogLevel=INFO", "-R", f"0:127.0.0.1:{tcp_echo.port}", "true")
    assert "Allocated port " in result.err


def test_a_killed_client_leaves_no_listener(workspace, ssh_start, tcp_echo):
    port = net.free_port()
    for _ in range(2):  # the second time at once, on the same port
        running = ssh_start("-N", "-R", f"{port}:127.0.0.1:{tcp_echo.port}")
        until(lambda: listens(port), "the listener is there", 20)
        assert sshds(workspace.agent) != []
        running.killed = True
        os.kill(running.pid, signal.SIGKILL)
        began = time.monotonic()
        until(lambda: not listens(port), "the listener is gone", 5)
        assert time.monotonic() - began < 1 * SCALE
    until(lambda: sshds(workspace.agent) == [], "sshd is gone", 5)


def test_a_listener_beyond_loopback_is_refused(ssh, tcp_echo):
    port = net.free_port()
    result = ssh("-R", f"*:{port}:127.0.0.1:{tcp_echo.port}", "exit 5", code=5)
    assert "remote port forwarding failed" in result.err


def test_nobody_else_logs_in(workspace, person):
    result = person.run("ssh", f"{workspace.owner.name}/{workspace.name}", "true", code=255)
    assert "or you may not see it" in result.err


def test_the_known_key_is_private_and_stays(workspace, ssh):
    ssh("true")
    key = workspace.owner.home / "config" / "adit" / "ssh_key"
    before = key.read_bytes()
    ssh("true")
    assert key.read_bytes() == before
    assert key.stat().st_mode & 0o777 == 0o600
