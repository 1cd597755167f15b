"""Debian's stock SSH programs on the aliases of `adit config-ssh`, as people use them."""
import concurrent.futures
import fcntl
import hashlib
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

import pytest

from harness import net
from harness.adit import PROGRAM, clean_environment
from harness.ssh import Ssh
from harness.wait import SCALE, deadline, until

HOST = "127.0.0.1"
BIG = 128 << 20


@pytest.fixture(scope="module")
def ssh(workspace):
    """ssh of the workspace's owner."""
    return Ssh(workspace.owner)


@pytest.fixture(scope="module")
def ws(ssh, workspace):
    """What ssh calls the workspace."""
    return ssh.alias(workspace)


@pytest.fixture(params=["ssh adit.ws", "adit ssh ws"])
def shell(request, ssh, ws, workspace):
    """Runs ssh in both ways: shell(*options and command)."""
    def run(*args, options=(), **more):
        if request.param == "adit ssh ws":
            return ssh.run_any(PROGRAM, "ssh", *options, workspace.name, *args, **more)
        return ssh.run("ssh", *options, ws, *args, **more)
    return run


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A large file that nothing can compress, and its digest."""
    file = tmp_path_factory.mktemp("big") / "file"
    block = os.urandom(1 << 20)
    with file.open("wb") as out:
        for n in range(BIG >> 20):
            out.write(n.to_bytes(8, "big") + block[8:])
    return file, digest(file)


def digest(file):
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


# ---- commands ----

def test_the_exit_code_is_the_commands(shell):
    assert shell("exit 44", code=44).out == ""
    shell("kill -9 $$", code=255)  # ended by a signal, which ssh has no code for


def test_300_kb_of_errors_after_the_output_is_closed(shell):
    done = shell("echo one; exec >&-; head -c 300000 /dev/zero | tr '\\0' x >&2; exit 3", code=3)
    assert done.out == "one\n"
    assert done.err == "x" * 300000


def test_options_may_stand_before_and_behind_the_workspace(shell):
    done = shell("-o", "SendEnv=LC_A", "echo", "there", options=("-T", "-o", "LogLevel=ERROR"))
    assert done.out == "there\n"
    assert "debug1" in shell("true", options=("-v",)).err


def test_what_is_said_about_ciphers_counts(shell):
    chosen = re.compile(r"cipher: (\S+)")
    for cipher in ("chacha20-poly1305@openssh.com", "aes256-ctr"):
        told = shell("true", options=("-v", "-o", f"Ciphers={cipher}")).err
        assert set(chosen.findall(told)) == {cipher}


def test_rekeying_every_mebibyte_during_9_mb_both_ways(shell):
    data = os.urandom(9_000_000)
    done = shell("cat", options=("-v", "-o", "RekeyLimit=1M"), stdin=data, binary=True)
    assert done.out == data
    assert done.err.count("SSH2_MSG_NEWKEYS received") >= 9


# ---- terminals ----

class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, argv, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, env)
        self.seen = ""

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=20):
        """Waits for output that matches, behind what was expected before."""
        end = deadline(timeout)
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end():]
                return found
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            assert ready, f"no {pattern!r} in {self.seen!r}"
            self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def close(self):
        """Its exit code, once it has ended."""
        end = deadline(20)
        try:
            while time.monotonic() < end:
                if select.select([self.fd], [], [], 1)[0] and not os.read(self.fd, 65536):
                    break
        except OSError:
            pass  # the other end is gone
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("how", ["ssh adit.ws", "adit ssh ws"])
def test_a_terminal_is_resized_and_interrupted(ssh, ws, workspace, how):
    argv = ssh.argv("ssh", "-tt", ws, "sh")
    if how == "adit ssh ws":
        argv = [PROGRAM, "ssh", workspace.name, "-tt", "sh"]
    terminal = Terminal(argv, ssh.environment(TERM="xterm"))
    prompt = r"[#$] $"
    try:
        terminal.expect(prompt)
        for size in ((31, 117), (40, 90)):
            terminal.resize(*size)
            # ssh may tell of the size behind what was typed after it.
            shown = f"{size[0]} {size[1]}"
            terminal.type(f"until stty size | grep -x '{shown}'; do sleep 0.1; done\n")
            terminal.expect(rf"\r\n{shown}\r\n" + prompt)
        terminal.type("echo TERM=$TERM\n")
        terminal.expect(r"\r\nTERM=xterm\r\n" + prompt)
        # Whatever runs in it when ^C comes, the group ends by the trap.
        terminal.type("(trap 'exit 130' INT; echo star''ted; while :; do sleep 0.1; done)\n")
        terminal.expect(r"\r\nstarted\r\n")
        terminal.type("\x03")
        terminal.expect(r"\^C" + prompt)
        terminal.type("echo code=$?\n")
        terminal.expect(r"\r\ncode=130\r\n" + prompt)
        terminal.type("exit 7\n")
    except BaseException:
        os.kill(terminal.pid, signal.SIGKILL)
        raise
    finally:
        code = terminal.close()
    assert code == 7


# ---- files ----

@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["-s", "-O"])
def test_scp_copies_a_big_file_both_ways(ssh, ws, big, tmp_path, protocol):
    file, right = big
    ssh.run("scp", "-q", protocol, file, f"{ws}:{tmp_path}/there")
    assert digest(tmp_path / "there") == right
    ssh.run("scp", "-q", protocol, f"{ws}:{tmp_path}/there", tmp_path / "back")
    assert digest(tmp_path / "back") == right


@pytest.mark.slow
def test_sftp_copies_a_big_file_both_ways_and_goes_on_after_a_break(ssh, ws, big, tmp_path):
    file, right = big
    ssh.run("sftp", "-q", "-b", "-", ws, stdin=f"put {file} {tmp_path}/there\n")
    assert digest(tmp_path / "there") == right
    with file.open("rb") as whole:
        (tmp_path / "back").write_bytes(whole.read(50_000_000))
    ssh.run("sftp", "-q", "-b", "-", ws, stdin=f"reget {tmp_path}/there {tmp_path}/back\n")
    assert digest(tmp_path / "back") == right


def test_rsync_copies_a_tree_and_then_only_what_differs(ssh, ws, workspace, tmp_path):
    here, there, back = tmp_path / "here", tmp_path / "there", tmp_path / "back"
    (here / "a b" / "c").mkdir(parents=True)
    for n in range(50):
        (here / "a b" / f"{n} 'x'").write_bytes(os.urandom(20000))
    (here / "a b" / "c" / "link").symlink_to("../0")
    first = ssh.run_any("rsync", "-a", "--stats", f"{here}/", f"{ws}:{there}/").out
    assert "files transferred: 50" in first
    (here / "a b" / "new").write_text("new")
    second = ssh.run_any("rsync", "-a", "--stats", f"{here}/", f"{ws}:{there}/").out
    assert "files transferred: 1" in second
    # And by `adit ssh` in the place of ssh.
    ssh.run_any("rsync", "-a", "-e", f"{PROGRAM} ssh", f"{workspace.name}:{there}/", f"{back}/")
    subprocess.run(["diff", "-r", "--no-dereference", here, back], check=True)


@pytest.mark.parametrize("how", ["ssh adit.ws", "adit ssh ws"])
def test_git_clones_and_pushes(ssh, ws, workspace, tmp_path, how):
    there, here = tmp_path / "there.git", tmp_path / "here"
    env, host = {}, ws
    if how == "adit ssh ws":
        env, host = {"GIT_SSH_COMMAND": f"{PROGRAM} ssh"}, workspace.name

    def git(*args, cwd=tmp_path):
        return ssh_git(ssh, env, cwd, *args)
    git("init", "-q", "--bare", there)
    git("clone", "-q", f"{host}:{there}", here)
    (here / "file").write_bytes(os.urandom(3_000_000))
    git("add", "file", cwd=here)
    git("commit", "-q", "-m", "one", cwd=here)
    git("push", "-q", "origin", "HEAD:main", cwd=here)
    git("clone", "-q", "-b", "main", f"ssh://{host}{there}", tmp_path / "again")
    assert digest(tmp_path / "again" / "file") == digest(here / "file")


def ssh_git(ssh, env, cwd, *args):
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "advice.detachedHead=false")
    environment = dict(ssh.environment(), **env)
    return subprocess.run(["git", *who, *map(str, args)], cwd=cwd, env=environment, check=True,
                          timeout=60 * SCALE)


# ---- one connection for many ----

@pytest.fixture
def short_folder():
    """For sockets, whose paths may not be long."""
    with tempfile.TemporaryDirectory(prefix="m") as name:
        yield Path(name)


@pytest.fixture
def master(ssh, ws, supervisor, short_folder):
    """A ControlMaster; what it gives is asked through ssh.run("ssh", *master, "-O", ...)."""
    options = ("-o", f"ControlPath={short_folder}/m")
    running = ssh.start(supervisor, "-M", "-N", *options, ws)
    until(lambda: ssh.run("ssh", *options, "-O", "check", ws, code=None).code == 0, "the master")
    yield options, running
    if running.running:
        ssh.run("ssh", *options, "-O", "exit", ws)


def test_a_master_forwards_cancels_and_exits(ssh, ws, master, tcp_echo):
    options, running = master

    def ask(*args, **more):
        return ssh.run("ssh", *options, "-O", *args, ws, **more).out
    local = net.free_port()
    ask("forward", "-L", f"{local}:{HOST}:{tcp_echo.port}")
    assert net.exchange((HOST, local), b"out") == b"out"
    remote = int(ask("forward", "-R", f"0:{HOST}:{tcp_echo.port}"))
    assert net.exchange((HOST, remote), b"back") == b"back"
    socks = net.free_port()
    ask("forward", "-D", socks)
    assert net.listens(socks)
    assert ssh.run("ssh", *options, ws, "exit 44", code=44).out == ""
    ask("cancel", "-L", f"{local}:{HOST}:{tcp_echo.port}")
    ask("cancel", "-R", f"0:{HOST}:{tcp_echo.port}")
    ask("cancel", "-D", socks)
    for port in (local, remote, socks):
        until(lambda port=port: not net.listens(port), f"{port} is free", 5)
    ssh.run("ssh", *options, ws, "true")
    ask("exit")
    assert running.wait_exit() in (0, 255)


def test_a_master_of_the_persons_configuration_is_used(workspace, tmp_path, short_folder):
    config = tmp_path / "config"
    config.write_text(f"Host *\n    ControlMaster auto\n    ControlPath {short_folder}/%C\n"
                      "    ControlPersist 60\n")
    mine = Ssh(workspace.owner, config)
    alias = mine.alias(workspace)
    try:
        pids = {mine.run("ssh", alias, "echo $PPID").out for _ in range(3)}
        assert len(pids) == 1, "all sessions are of one sshd"
        mine.run("scp", "-q", config, f"{alias}:{tmp_path}/copy")
        assert (tmp_path / "copy").read_text() == config.read_text()
    finally:
        mine.run("ssh", "-O", "exit", alias)
    until(lambda: not list(short_folder.iterdir()), "its socket is gone")


@pytest.mark.limit(180)
def test_20_sessions_at_once(ssh, ws):
    def one(n):
        data = os.urandom(500_000)
        return ssh.run("ssh", ws, f"cat; exit {n}", stdin=data, code=n, binary=True,
                       timeout=150).out == data
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == [True] * 20


def test_20_first_sessions_at_once(own_workspace):
    """Nothing is known of the workspace yet, and there is no key: each of them finds out."""
    mine = Ssh(own_workspace.owner)

    def one(n):
        return mine.run("ssh", mine.alias(own_workspace), f"exit {n}", code=n, timeout=80).code
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert list(pool.map(one, range(20))) == list(range(20))


def test_editors_start_a_shell_with_a_proxy(ssh, ws, supervisor, tcp_server):
    """As remote development does: a shell that reads a script, and -D for what it starts."""
    page = tcp_server(lambda c: c.sendall(b"HTTP/1.0 200 OK\r\n\r\nhere\n"))
    port = net.free_port()
    running = ssh.start(supervisor, "-T", "-D", port, "-o", "ConnectTimeout=15", ws, "bash")
    running.write(b"echo id=$$; uname -s\n")
    running.wait_line("^id=[0-9]+$", stream="out")
    running.wait_line("^Linux$", stream="out")
    done = ssh.run_any("curl", "-s", "--socks5-hostname", f"{HOST}:{port}",
                       f"http://localhost:{page.port}/")
    assert done.out == "here\n"
    running.close_stdin()
    assert running.wait_exit() == 0


# ---- agents and jumps ----

@pytest.fixture
def keys(supervisor, tmp_path, short_folder):
    """An ssh-agent that holds one key: its environment and the key's file."""
    key, path = tmp_path / "key", short_folder / "agent"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "held", "-f", key],
                   check=True)
    supervisor.start("ssh-agent", ["ssh-agent", "-D", "-a", str(path)], good_codes=(0, 2))
    until(lambda: net.listens(path), "the agent takes connections")
    env = {"SSH_AUTH_SOCK": str(path)}
    subprocess.run(["ssh-add", "-q", key], env=dict(os.environ, **env), check=True)
    return env, key


def test_a_forwarded_agent_is_there_when_asked_for(shell, keys):
    env, _ = keys
    assert " held (ED25519)" in shell("ssh-add", "-l", options=("-A",), env=env).out
    told = shell("ssh-add", "-l", code=2, env=env).err
    assert "Could not open a connection to your authentication agent" in told


def test_a_forwarded_agent_can_be_ruled_out(own_deployment, keys):
    env, _ = keys
    own_deployment.admin.run("templates", "push", "default", "-",
                             stdin="forwarding:\n  agent_forwarding: false\n")
    workspace = own_deployment.workspace()
    mine = Ssh(workspace.owner)
    told = mine.run("ssh", "-A", mine.alias(workspace), "ssh-add", "-l", code=2, env=env).err
    assert "Could not open a connection to your authentication agent" in told


@pytest.fixture
def sshd(supervisor, tmp_path, ssh, ws, keys):
    """Somebody else's sshd, beside the workspace; ssh options that log in to it."""
    _, key = keys
    port, host_key = net.free_port(), tmp_path / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
    (tmp_path / "allowed").write_text((tmp_path / "key.pub").read_text())
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress {HOST}\nHostKey {host_key}\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path}/allowed\nUsePAM no\n")
    os.makedirs("/run/sshd", exist_ok=True)
    supervisor.start("sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", tmp_path / "sshd_config"],
                     good_codes=(0, 255, -signal.SIGTERM))
    until(lambda: net.listens(port), "sshd listens")
    user = ssh.run("ssh", ws, "id", "-un").out.strip()
    return ("-p", port, "-l", user, "-i", key, "-o", f"UserKnownHostsFile={tmp_path}/known",
            "-o", "StrictHostKeyChecking=accept-new")


def test_the_workspace_is_a_jump_host(ssh, ws, sshd):
    # Of the two sshds, this one knows where its client is: the workspace.
    done = ssh.run("ssh", "-J", ws, *sshd, HOST, "echo $SSH_CLIENT; exit 9", code=9)
    assert done.out.startswith(f"{HOST} ")
    data = os.urandom(2_000_000)
    done = ssh.run("ssh", "-J", ws, *sshd, HOST, "cat", stdin=data, binary=True)
    assert done.out == data


def test_w_reaches_what_the_workspace_reaches(shell, tcp_echo):
    data = os.urandom(2_000_000)
    done = shell(options=("-W", f"{HOST}:{tcp_echo.port}"), stdin=data, binary=True)
    assert done.out == data
    told = shell(options=("-W", f"{HOST}:{net.free_port()}"), code=255).err
    assert "open failed: connect failed" in told


# ---- ways ----

def counter(deployment, name):
    text = deployment.api().session.get(f"{deployment.url}/metrics", timeout=20).text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text,
                                                    re.MULTILINE))


def test_what_moves_much_leaves_the_relayed_session(own_workspace):
    owner, name = own_workspace.owner, own_workspace.name
    deployment, data = own_workspace.deployment, os.urandom(60_000_000)
    right = hashlib.sha256(data).hexdigest()
    # A lane beside the session, and the way beside the server.
    for option in ("--no-direct", "-T"):
        done = owner.run("ssh", option, name, "sha256sum", stdin=data, timeout=60)
        assert done.out.split()[0] == right
        if option == "--no-direct":
            assert counter(deployment, "adit_lanes_opened_total") == 1
            assert "path=direct" not in own_workspace.agent.text("err")
    own_workspace.agent.wait_line("path=direct", stream="err")


# ---- ends ----

def test_a_lost_connection_is_told(own_workspace, supervisor):
    mine = Ssh(own_workspace.owner)
    running = mine.start(supervisor, mine.alias(own_workspace), "echo there; sleep 100")
    running.wait_line("^there$", stream="out", timeout=20)
    own_workspace.agent.kill()
    assert running.wait_exit(20) == 255
    assert f"adit: {own_workspace.name}: " in running.text("err")


def test_an_interrupt_before_the_log_in_ends_it(own_workspace, supervisor):
    owner = own_workspace.owner
    own_workspace.agent.kill()
    own_workspace.wait_connected(False)
    running = supervisor.start("ssh", [PROGRAM, "ssh", "--wait", own_workspace.name, "true"],
                               env=clean_environment(owner.home), cwd=owner.home,
                               good_codes=(-signal.SIGINT, 255))
    running.wait_line("waiting$", stream="err")
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait_exit(5) in (-signal.SIGINT, 255)


def test_a_server_that_does_not_answer_is_given_up(cli, workspace):
    """A port that takes connections and says nothing: no hang."""
    with socket.create_server((HOST, 0)) as silent:
        env = {"ADIT_URL": f"http://{HOST}:{silent.getsockname()[1]}", "ADIT_TOKEN": "x"}
        began = time.monotonic()
        told = cli.run("ssh", "--wait=2", workspace.name, "true", code=255, env=env).err
        assert "not reached within 2 s" in told
        assert time.monotonic() - began < 10 * SCALE
