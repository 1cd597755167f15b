"""SSH where the account, or the machine, is not as sshd likes it. These tests need to be root."""
import os
import pwd
import re
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from harness import net
from harness.adit import PROGRAM
from harness.ssh_forward import SshForwards, is_running, sshds
from harness.terminal import Terminal
from harness.wait import until

HOST = "127.0.0.1"


@pytest.fixture
def as_nobody(deployment, supervisor):
    """A workspace whose agent runs as nobody, in places that nobody can read."""
    yield from run_as_nobody(deployment, supervisor, [])


def run_as_nobody(deployment, supervisor, through):
    nobody = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="adit-nobody."))
    workspace = deployment.workspace(agent=False)
    shutil.copy(PROGRAM, home / "adit")
    shutil.copy(workspace.token_file, home / "token")
    (home / "tmp").mkdir()
    for each in (home, home / "token", home / "tmp"):
        os.chown(each, nobody.pw_uid, nobody.pw_gid)
    os.chmod(home, 0o755)
    agent = supervisor.start(
        "agent (nobody)",
        [*through, "setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}",
         "--clear-groups", home / "adit", "agent", "--url", deployment.url, "--token-file",
         home / "token"],
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp")},
        cwd=home, good_codes=(0,))
    workspace.agent = agent
    workspace.wait_connected()
    yield SshForwards(workspace, supervisor)
    assert agent.stop() == []
    shutil.rmtree(home)


def test_an_account_without_a_shell_forwards_and_says_why_no_command_runs(as_nobody, tcp_echo):
    result = as_nobody.run("true", code=1)
    assert "the login shell of nobody is /usr/sbin/nologin" in result.err
    port = net.free_port()
    running = as_nobody.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    assert net.exchange((HOST, port), b"works") == b"works"
    running.stop()
    assert as_nobody.run("-W", f"{HOST}:{tcp_echo.port}", stdin="hello").out == "hello"


def test_a_privileged_port_is_refused_to_an_ordinary_user(as_nobody, tcp_echo):
    master = as_nobody.master()
    master.ask(f"81:{HOST}:{tcp_echo.port}", code=255)
    assert not net.listens(81)
    port = int(master.ask(f"0:{HOST}:{tcp_echo.port}"))
    assert net.exchange((HOST, port), b"lives") == b"lives"


    def results():
        events = as_nobody.workspace.owner.run(
            "audit", "--workspace", as_nobody.workspace.name, "--action", "ssh_listen_open",
            "--output", "json").json()
        return {each["result"] for each in events if each["target"] == "localhost:81"}
    until(lambda: results() == {"not_permitted"}, "the refusal is on record")


@pytest.fixture
def on_terminals(deployment, supervisor, tmp_path):
    """The same with a shell, where /dev/pts is mounted with the options given."""
    users = tmp_path / "passwd"
    users.write_text(re.sub(r"^(nobody:.*):.*$", r"\1:/bin/sh", Path("/etc/passwd").read_text(),
                            flags=re.M))
    made = []

    def start(options):
        made.append(run_as_nobody(deployment, supervisor, in_namespace(
            f"mount --bind '{users}' /etc/passwd && mount -t devpts -o {options} devpts /dev/pts"
            " && mount --bind /dev/pts/ptmx /dev/ptmx")))
        return next(made[0])
    yield start
    for each in made:
        assert next(each, None) is None


def test_an_ordinary_user_gets_a_terminal(on_terminals):
    ssh = on_terminals("newinstance,ptmxmode=0666,mode=0620,gid=5")
    assert "/dev/pts/" in ssh.run("-tt", "tty", stdin="").out
    assert "no terminals" not in ssh.run("true").err


def test_where_sshd_may_give_no_terminal_commands_run_without_one(on_terminals):
    ssh = on_terminals("newinstance,ptmxmode=0666,mode=0600")
    result = ssh.run("echo in")
    assert result.out == "in\n"
    assert "there are no terminals here for nobody" in result.err and "gid=5" in result.err
    terminal = Terminal(ssh.workspace.owner, "ssh", ssh.workspace.name)
    terminal.wait(b"PTY allocation request failed")
    terminal.type(b"tty; exit 7\n")
    terminal.wait(b"not a tty")
    assert terminal.end() == 7


def in_namespace(script):
    """A command that runs another one where the file system has been changed, for it alone."""
    return ["unshare", "--mount", "sh", "-c", script + '; exec "$@"', "sh"]


def test_a_locked_password_field_locks_nobody_out(deployment, supervisor, tmp_path):
    name = pwd.getpwuid(os.geteuid()).pw_name
    shadow = tmp_path / "shadow"
    shadow.write_text("".join(
        f"{name}:!:{line.split(':', 2)[2]}" if line.startswith(name + ":") else line
        for line in Path("/etc/shadow").read_text().splitlines(keepends=True)))
    shadow.chmod(0o600)
    workspace = deployment.workspace(agent=False)
    workspace.start_agent(through=in_namespace(f"mount --bind '{shadow}' /etc/shadow"))
    ssh = SshForwards(workspace, supervisor)
    assert ssh.run("echo in; exit 3", code=3).out == "in\n"
    # The modules of PAM that are made for a machine that was booted did not run: one sets this.
    own = Path(f"/proc/{workspace.agent.pid}/loginuid").read_text()
    assert ssh.run("cat /proc/self/loginuid").out == own


def test_the_privilege_separation_folder_is_made(deployment, supervisor):
    workspace = deployment.workspace(agent=False)
    workspace.start_agent(through=in_namespace("mount -t tmpfs none /run"))
    assert SshForwards(workspace, supervisor).run("echo in").out == "in\n"


def test_without_sshd_the_package_is_named_and_the_rest_works(deployment, supervisor, tcp_echo):
    workspace = deployment.workspace(agent=False)
    workspace.start_agent(through=in_namespace("mount --bind /dev/null /usr/sbin/sshd"))
    failed = SshForwards(workspace, supervisor).run("true", code=None)
    assert failed.code != 0 and "openssh-server" in failed.err
    running = workspace.owner.forward(workspace.name, "--tcp",
                                      f"{net.free_port()}:{tcp_echo.port}")
    assert net.exchange((HOST, running.ports[0]), b"works") == b"works"
    running.stop()


def folders(workspace):
    return list((workspace.token_file.parent / "tmp").glob("adit-ssh.*"))


def test_a_killed_agent_leaves_nothing_that_the_next_one_does_not_remove(deployment, supervisor,
                                                                         tcp_echo):
    workspace = deployment.workspace()
    ssh = SshForwards(workspace, supervisor)
    port = net.free_port()
    ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    made = folders(workspace)
    assert [oct(each.stat().st_mode & 0o777) for each in made] == ["0o700"]
    started = sshds(workspace.agent)
    assert started
    os.kill(workspace.agent.pid, signal.SIGKILL)
    workspace.agent.killed = True
    until(lambda: not net.listens(port), "the listener is gone", 2)
    until(lambda: not any(is_running(pid, b"sshd") for pid in started), "sshd is gone", 2)
    assert folders(workspace) == made
    workspace.start_agent()
    assert folders(workspace) == []
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    assert net.exchange((HOST, port), b"again") == b"again"
    running.stop()
    until(lambda: folders(workspace) == [], "its folder is gone", 5)
    until(lambda: not sshds(workspace.agent), "sshd is gone", 2)
