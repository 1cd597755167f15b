"""`adit config-ssh`: what it does to the file, and that ssh then reaches every workspace."""
import os
import re
import secrets
import shutil
import subprocess

import pytest

from harness import net
from harness.adit import PROGRAM, Cli, clean_environment
from harness.ssh import Ssh
from harness.wait import until

USER = """\
# mine
ServerAliveInterval 7

Host work *.example.com
    User anna
    Port 2222
"""


@pytest.fixture
def file(cli):
    made = cli.home / "ssh_config"
    made.write_text(USER)
    return made


def configure(cli, file, *options, **more):
    return cli.run("config-ssh", "--ssh-config-file", file, *options, **more)


# ---- the file ----

def test_a_missing_file_and_folder_are_made_private(cli):
    told = cli.run("config-ssh")
    folder = cli.home / ".ssh"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "config").stat().st_mode & 0o777 == 0o600
    assert told.out == f"{folder}/config is written: ssh adit.WORKSPACE\n"
    # ssh itself reads the file of the user database's home, which is not this one.
    assert f"HOME is {cli.home}, but ssh looks in " in told.err


def test_again_changes_nothing(cli, file):
    configure(cli, file)
    before = file.stat()
    assert "is up to date" in configure(cli, file).out
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_there_stays_and_comes_back(cli, file):
    configure(cli, file)
    assert file.read_text().endswith(f"\n# <<< adit <<<\n\n{USER}")
    assert configure(cli, file, "--remove").out == f"{file}: adit's section is removed\n"
    assert file.read_text() == USER
    assert configure(cli, file, "--remove").out == f"{file} has no section of adit's\n"


def test_a_link_and_a_mode_stay(cli, file):
    real = cli.home / "dotfiles"
    file.rename(real)
    real.chmod(0o640)
    file.symlink_to("dotfiles")
    configure(cli, file)
    assert file.is_symlink() and os.readlink(file) == "dotfiles"
    assert real.stat().st_mode & 0o777 == 0o640
    assert "# >>> adit >>>" in real.read_text()
    assert sorted(each.name for each in cli.home.iterdir()) == [
        "config", "dotfiles", "ssh_config", "tmp"]


def test_a_section_is_brought_up_to_date_where_it_is(cli, file):
    configure(cli, file, "--url", "https://old.example")
    section = file.read_text().removesuffix(f"\n{USER}")
    file.write_text(f"{USER}\n{section}Host last\n")
    configure(cli, file, "--url", "https://new.example")
    assert file.read_text() == (
        f"{USER}\n{section}Host last\n".replace("old.example", "new.example"))


@pytest.mark.parametrize("damage, told", [
    (lambda text: text.replace("# <<< adit <<<\n", ""), "has no end line"),
    (lambda text: re.sub("# >>> adit >>>.*\n", "", text), "does not begin before that"),
    (lambda text: text + text, "is there twice"),
])
@pytest.mark.parametrize("option", [(), ("--remove",), ("--dry-run",)])
def test_a_damaged_section_is_left_alone(cli, file, damage, told, option):
    configure(cli, file)
    file.write_text(damage(file.read_text()))
    before = file.read_text()
    assert told in configure(cli, file, *option, code=1).err
    assert file.read_text() == before


def test_a_dry_run_shows_what_would_change_and_changes_nothing(cli, file):
    shown = configure(cli, file, "--dry-run").out
    assert file.read_text() == USER
    assert not (cli.home / "config" / "adit").exists()
    # patch makes of it what config-ssh makes.
    copy = cli.home / "copy"
    shutil.copy(file, copy)
    subprocess.run(["patch", "--quiet", str(copy)], input=shown.encode(), check=True)
    configure(cli, file)
    assert copy.read_text() == file.read_text()
    assert configure(cli, file, "--dry-run").out == ""
    assert not (cli.home / ".ssh").exists()
    cli.run("config-ssh", "--dry-run")
    assert not (cli.home / ".ssh").exists()


@pytest.mark.parametrize("make, told", [
    (lambda file: file.mkdir(), "is not a file"),
    (lambda file: file.symlink_to("nowhere"), "is a link to a file that does not exist"),
    (lambda file: file.write_bytes(b"#" * 1100000), "Message too long"),
])
def test_what_cannot_be_changed_is_told(cli, make, told):
    file = cli.home / "special"
    make(file)
    assert told in configure(cli, file, code=1).err
    assert "No such file" in configure(cli, cli.home / "none" / "config", code=1).err


def test_a_full_disk_leaves_the_file_as_it_was(cli, file):
    long = USER + "# long\n" * 5000
    file.write_text(long)
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$0" config-ssh --ssh-config-file "$1"',
         PROGRAM, str(file)], env=clean_environment(cli.home), stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1 and b"cannot be written: File too large" in done.stderr
    assert file.read_text() == long
    assert [each.name for each in cli.home.glob("ssh_config*")] == ["ssh_config"]


def test_a_line_that_would_count_instead_is_named(cli, file):
    configure(cli, file)
    file.write_text("Host *\n    User anna\n\n" + file.read_text())
    told = configure(cli, file).err
    assert f'line 2 of {file}, "User anna", stands before adit\'s section' in told
    assert "hint: move the section to the top" in told


# ---- what ssh makes of it ----

def options_of(file, host):
    """What ssh would do for this host."""
    lines = subprocess.run(["ssh", "-F", str(file), "-G", host], stdout=subprocess.PIPE,
                           check=True, timeout=20).stdout.decode().splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def test_other_hosts_notice_nothing(cli, file):
    hosts = ["work", "a.example.com", "adit", "aditx.dev", "localhost"]
    before = [options_of(file, host) for host in hosts]
    configure(cli, file)
    assert [options_of(file, host) for host in hosts] == before


@pytest.fixture
def ssh(workspace):
    return Ssh(workspace.owner)


def test_every_form_of_the_alias_works(workspace, ssh, person):
    name, owner = workspace.name, workspace.owner.name
    for alias in (f"adit.{name}", f"adit.{name}.main", f"adit.{owner}--{name}",
                  f"adit.{owner}--{name}.main", f"adit.{name.upper()}"):
        assert ssh.run("ssh", alias, "echo", "there").out == "there\n"
    refused = Ssh(person).run("ssh", f"adit.{owner}--{name}", "true", code=255)
    assert f"there is no workspace '{owner}/{name}'" in refused.err


def test_what_a_person_has_for_all_hosts_does_not_count(workspace, ssh):
    ssh.config.write_text(ssh.config.read_text() + """
HostKeyAlias other
User nobody
Port 2222
ProxyJump bastion.example.com
HostName %h.example.com
StrictHostKeyChecking ask
HostKeyAlgorithms rsa-sha2-512
UserKnownHostsFile /dev/null
IdentityFile ~/.ssh/other
CanonicalizeHostname always
PreferredAuthentications password
""")
    ssh.run("ssh", ssh.alias(workspace), "true")
    ssh.run("ssh", ssh.alias(workspace), "exit 44", code=44)
    ssh.run("ssh", "-p", "2022", ssh.alias(workspace), "true")


def test_paths_may_have_anything_in_them(deployment, supervisor, tmp_path):
    home = tmp_path / """o'd "d" 50% $x [a]*? \\b"""
    person = Cli(supervisor, home, deployment.unique("user"))
    password = secrets.token_urlsafe(16)
    deployment.admin.run("users", "create", person.name, "--password-stdin", stdin=password + "\n")
    person.login(deployment.url, password)
    workspace = deployment.workspace(person)
    (home / "bin").mkdir()
    program = home / "bin" / "adit=1"
    program.symlink_to(PROGRAM)
    file = home / "ssh config"
    subprocess.run([program, "config-ssh", "--ssh-config-file", file], check=True,
                   env=clean_environment(home), stdout=subprocess.DEVNULL)
    assert "adit=1" in file.read_text() and PROGRAM not in file.read_text()
    # Also where the programs that run ssh have another idea of the configuration's folder.
    elsewhere = clean_environment(tmp_path)
    for _ in range(2):
        done = subprocess.run(["ssh", "-F", file, f"adit.{workspace.name}", "exit 44"], check=False,
                              env=elsewhere, stderr=subprocess.PIPE, timeout=30)
        assert done.returncode == 44, done.stderr.decode()


def test_a_link_to_the_program_is_kept(cli, file, tmp_path):
    """So that the section outlives an update that the link follows."""
    (tmp_path / "adit").symlink_to(PROGRAM)
    path = f"/nowhere:relative:{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["adit", "config-ssh", "--ssh-config-file", str(file)], check=True,
                   env=clean_environment(cli.home, PATH=path), stdout=subprocess.DEVNULL,
                   executable=PROGRAM)
    assert f"ProxyCommand env XDG_CONFIG_HOME={cli.home}/config {tmp_path}/adit ssh" in (
        file.read_text())


def test_no_name_of_a_host_reaches_a_shell(ssh, tmp_path):
    for evil in ("adit.x'$(touch hit)'", "adit.$(touch hit)", "adit.x;touch hit",
                 "adit.`touch hit`", "adit.-oProxyCommand=touch", "adit.a--b--c"):
        ssh.run("ssh", "-o", "ConnectTimeout=5", evil, "true", code=255, cwd=tmp_path)
    assert list(tmp_path.glob("hit")) == []


def test_aliases_follow_the_log_in_or_stay_with_a_deployment(make_deployment, cli):
    one, two = make_deployment(), make_deployment()
    one.place, two.place = (each.workspace(name="dev") for each in (one, two))
    mine = Ssh(one.admin)
    one.admin.run("login", two.url, "--username", "admin", "--password-stdin",
                  stdin=two.admin.password + "\n")
    # The newest log-in counts; with --url, that deployment.
    pinned = Ssh(one.admin, cli.home / "ssh_config", ("--url", one.url))
    mine.run("ssh", "adit.dev", "true")
    pinned.run("ssh", "adit.dev", "true")
    one.place.agent.kill()
    until(lambda: "not connected" in pinned.run("ssh", "adit.dev", "true", code=None).err,
          "the one is away")
    mine.run("ssh", "adit.dev", "true")


def test_adit_ssh_to_another_deployment_does_not_ask_the_sections(make_deployment):
    one, two = make_deployment(), make_deployment()
    place = two.workspace(name="dev")
    owner = one.admin
    section = Ssh(owner, options=("--url", one.url))
    owner.run("login", two.url, "--username", "admin", "--password-stdin",
              stdin=two.admin.password + "\n")
    for _ in range(2):
        done = owner.run("ssh", "--url", two.url, "-F", section.config, place.name, "echo there")
        assert (done.out, done.err) == ("there\n", "")
    assert "there is no workspace" in section.run("ssh", "adit.dev", "true", code=255).err


# ---- one connection, and what is kept ----

def relayed(workspace):
    """How many peer sessions to it were opened so far."""
    return len(workspace.owner.run("audit", "--action", "peer_open", "--workspace",
                                   workspace.name, "--limit", "1000", "--output", "json").json())


def test_each_ssh_is_one_connection(own_workspace):
    ssh = Ssh(own_workspace.owner)
    alias = ssh.alias(own_workspace)
    ssh.run("ssh", alias, "true")
    # The account was asked for.
    until(lambda: relayed(own_workspace) == 2, "both are on record")
    for n in (3, 4):
        ssh.run("ssh", alias, "true")
        until(lambda n=n: relayed(own_workspace) == n, "one more")
    for n in (5, 6):
        own_workspace.owner.run("ssh", own_workspace.name, "true")
        until(lambda n=n: relayed(own_workspace) == n, "one more")


def test_what_is_kept_is_private_and_forgotten_with_the_section(own_workspace):
    ssh = Ssh(own_workspace.owner)
    ssh.run("ssh", ssh.alias(own_workspace), "true")
    folder = own_workspace.owner.home / "config" / "adit"
    for name in ("ssh_hosts", "ssh_known_hosts", "ssh_key"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
    own_workspace.owner.run("config-ssh", "--ssh-config-file", ssh.config, "--remove")
    assert not list(folder.glob("ssh_*hosts*"))


def test_a_changed_account_and_host_key_are_noticed(own_workspace):
    ssh = Ssh(own_workspace.owner)
    alias = ssh.alias(own_workspace)
    ssh.run("ssh", alias, "true")
    folder = own_workspace.owner.home / "config" / "adit"
    hosts, keys = folder / "ssh_hosts", folder / "ssh_known_hosts"
    right = hosts.read_text()
    hosts.write_text(re.sub('User ".*"', 'User "somebody"', right))
    told = ssh.run("ssh", alias, "true", code=255).err
    assert re.search(r"its account is now \S+ and no longer somebody: run it again", told)
    assert hosts.read_text() == right
    ssh.run("ssh", alias, "true")
    # Damaged or gone, they are made again.
    for damage in (lambda: hosts.write_text("Host adit.*\n"), hosts.unlink, keys.unlink):
        damage()
        ssh.run("ssh", alias, "true")
        assert hosts.read_text() == right and keys.exists()


def test_a_host_key_that_is_not_the_agents_is_refused(own_workspace, tmp_path):
    """An sshd that is not the agent's, in the place where the agent's is."""
    ssh = Ssh(own_workspace.owner)
    alias = ssh.alias(own_workspace)
    ssh.run("ssh", alias, "true")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"],
                   check=True)
    told = ssh.run("ssh", "-o", "ProxyCommand=/usr/sbin/sshd -i -o UsePAM=no "
                   f"-f /dev/null -h {tmp_path}/key", alias, "true", code=255).err
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in told


# ---- what stands in the way ----

def test_an_agent_that_is_away_is_named_at_once(own_workspace):
    ssh = Ssh(own_workspace.owner)
    alias = ssh.alias(own_workspace)
    for _ in range(2):  # the first time while nothing is known, then while something is
        own_workspace.agent.kill()
        own_workspace.wait_connected(False)
        told = ssh.run("ssh", alias, "true", code=255).err
        assert re.search(rf"adit: {own_workspace.name}: .*not connected", told), told
        told = own_workspace.owner.run("ssh", own_workspace.name, "true", code=255).err
        assert "not connected" in told
        own_workspace.start_agent()
        ssh.run("ssh", alias, "true")


@pytest.mark.parametrize("known", [False, True])
def test_wait_waits_for_the_agent(own_workspace, supervisor, known):
    owner = own_workspace.owner
    if known:
        owner.run("ssh", own_workspace.name, "true")
    own_workspace.agent.kill()
    own_workspace.wait_connected(False)
    running = supervisor.start("ssh", [PROGRAM, "ssh", "--wait", own_workspace.name, "echo there"],
                               env=clean_environment(owner.home), cwd=owner.home)
    running.wait_line("waiting$", stream="err")
    own_workspace.start_agent()
    assert running.wait_exit(40) == 0
    assert running.text("out") == "there"
    own_workspace.agent.kill()
    own_workspace.wait_connected(False)
    told = owner.run("ssh", "--wait=1", own_workspace.name, "true", code=255).err
    assert "not reached within 1 s" in told


def test_what_stands_in_the_way_is_told(own_workspace, cli):
    owner, name = own_workspace.owner, own_workspace.name
    assert "there is no workspace" in owner.run("ssh", "none", "true", code=255).err
    assert "no agent 'gpu'" in owner.run("ssh", f"{name}.gpu", "true", code=255).err
    assert "not logged in" in cli.run("ssh", name, code=255).err
    assert "adit ssh" in cli.run("ssh", code=2).err
    assert "is not [owner/]workspace" in cli.run("ssh", "a b", code=2).err
    assert "--wait" in cli.run("ssh", "--wait=0", name, code=2).err
    assert "unknown option" in cli.run("ssh", "--frob", name, code=2).err
    assert "--host goes with" in cli.run("ssh", "--host", f"adit.{name}", code=2).err
    owner.run("ssh", name, "true")
    told = owner.run("ssh", name, "true", code=255, env={"PATH": "/nonexistent"}).err
    assert "install the package openssh-client" in told
    ssh = Ssh(owner)
    assert "there is no workspace" in ssh.run("ssh", "adit.none", "true", code=255).err
    assert "is not adit.[OWNER--]WORKSPACE" in ssh.run("ssh", "adit.a_b", "true", code=255).err
    own_workspace.deployment.crash()
    assert "cannot be reached" in owner.run("ssh", name, "true", code=255).err
    assert "cannot be reached" in ssh.run("ssh", f"adit.{name}", "true", code=255).err


def test_a_workspace_without_sshd_says_what_to_install(own_deployment, supervisor):
    workspace = own_deployment.workspace(agent=False)
    home = workspace.token_file.parent
    (home / "tmp").mkdir()
    places = "/usr/sbin/sshd /usr/local/sbin/sshd /sbin/sshd /usr/bin/sshd"
    supervisor.start(
        "agent", ["unshare", "--map-root-user", "--mount", "sh", "-c",
                  f'for p in {places}; do [ ! -e $p ] || mount --bind /dev/null $p; done; '
                  'exec "$0" "$@"',
                  PROGRAM, "agent", "--url", own_deployment.url, "--token-file",
                  str(workspace.token_file)],
        env=clean_environment(home), cwd=home, good_codes=(0,))
    workspace.wait_connected()
    for _ in range(2):
        told = workspace.owner.run("ssh", workspace.name, "true", code=255).err
        assert "the workspace has no sshd: install the package openssh-server" in told
    told = Ssh(workspace.owner).run("ssh", f"adit.{workspace.name}", "true", code=255).err
    assert "install the package openssh-server" in told
    # All else works.
    page = net.TcpServer(net.echo)
    mine = Cli(supervisor, workspace.owner.home, workspace.owner.name)
    running = mine.forward(workspace.name, "--tcp", f"{net.free_port()}:{page.port}")
    assert net.exchange(("127.0.0.1", running.ports[0]), b"through") == b"through"
    running.stop()
    page.close()
