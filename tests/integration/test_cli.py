"""Accounts, tokens and workspaces from the command line; what it does on a terminal."""
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from harness import net
from harness.adit import PROGRAM, Cli, clean_environment
from harness.terminal import Terminal


# ---- accounts ----

def test_a_login_is_kept_for_its_owner_only(person):
    kept = person.home / "config/adit/credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert person.run("whoami", "--output", "json").json()["user"] == person.name
    kept.chmod(0o644)
    refused = person.run("whoami", code=1)
    assert "can be read by others" in refused.err and "chmod 600" in refused.err


def test_logging_out_ends_the_session(deployment, person):
    token = (person.home / "config/adit/credentials.json").read_text().split('"token": "')[1]
    token = token.split('"')[0]
    assert deployment.api(token).get("/me")
    person.run("logout")
    deployment.api(token).get("/me", status=401)
    assert "not logged in" in person.run("whoami", code=3).err


def test_a_wrong_password_is_refused(deployment, cli):
    cli.name = "admin"
    done = cli.run("login", deployment.url, "--username", "admin", "--password-stdin",
                   stdin="not the password\n", code=3)
    assert len(done.err.splitlines()) == 1
    assert not (cli.home / "config/adit").exists()


def test_the_first_user_is_made_once(make_deployment, supervisor, tmp_path):
    fresh = make_deployment(set_up=False)
    early = Cli(supervisor, tmp_path / "early", "early")
    done = early.run("login", fresh.url, "--username", "early", "--password-stdin", stdin="x\n",
                     code=1)
    assert "--first-user" in done.err
    fresh.set_up()
    done = early.run("login", fresh.url, "--first-user", "--username", "early",
                     "--password-stdin", stdin="password of early\n", code=1)
    assert "has its first user already" in done.err


def test_several_deployments_with_one_current(make_deployment, supervisor, tmp_path):
    one, two = make_deployment(set_up=False), make_deployment(set_up=False)
    mine = Cli(supervisor, tmp_path / "mine", "mine")
    for each in (one, two):
        mine.login(each.url, "a password for " + each.url, "--first-user")
    assert mine.run("whoami", "--output", "json").json()["url"] == two.url
    assert mine.run("whoami", "--output", "json", "--url", one.url).json()["url"] == one.url
    mine.run("logout")
    assert mine.run("whoami", "--output", "json").json()["url"] == one.url


def test_users_are_managed_by_administrators(deployment, supervisor):
    admin, user = deployment.admin, deployment.user()
    assert user.name in [each["name"] for each in admin.run("users", "list", "--output",
                                                            "json").json()]
    denied = user.run("users", "create", "somebody", "--password-stdin",
                      stdin="a fine password\n", code=3)
    assert denied.err.startswith("adit: ")
    admin.run("users", "set-role", user.name, "auditor")
    assert user.run("whoami", "--output", "json").json()["role"] == "auditor"
    admin.run("users", "reset-password", user.name, "--password-stdin",
              stdin="another fine password\n")
    user.run("whoami", code=3)
    user.login(deployment.url, "another fine password")
    admin.run("users", "suspend", user.name)
    user.run("whoami", code=3)
    admin.run("users", "resume", user.name)
    user.login(deployment.url, "another fine password")
    assert "--yes" in admin.run("users", "delete", user.name, code=2).err
    admin.run("users", "delete", user.name, "--yes")
    assert user.name not in admin.run("users", "list").out


def test_a_rejected_field_is_named(deployment):
    done = deployment.admin.run("users", "create", "short", "--password-stdin", stdin="x\n", code=1)
    assert "password" in done.err and len(done.err.splitlines()) == 1


def test_tokens_are_made_listed_and_revoked(deployment, person, supervisor, tmp_path):
    token = person.run("tokens", "create", "ci", "--expires-in", "1h").out.strip()
    program = Cli(supervisor, tmp_path / "program")
    environment = {"ADIT_URL": deployment.url, "ADIT_TOKEN": token}
    assert program.run("whoami", "--output", "json", env=environment).json()["user"] == person.name
    listed = person.run("tokens", "list").out
    assert "ci" in listed and token not in listed
    person.run("tokens", "revoke", "ci")
    program.run("whoami", env=environment, code=3)
    file = tmp_path / "token"
    shown = person.run("tokens", "create", "two", "--token-file", file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip() not in shown.out
    assert "one is not" not in person.run("tokens", "revoke", "none", code=1).err


# ---- workspaces ----

def test_what_others_share_is_listed(deployment):
    anna, bob, eve = deployment.user(), deployment.user(), deployment.user()
    place = f"{anna.name}/dev"

    def rows_of(person):
        return [row.split() for row in person.run("list", "--shared").out.splitlines()
                if f" {place} " in row]

    anna.run("create", "dev")
    anna.run("share", "dev", "3000", "--with", bob.name, "--expires", "2h")
    assert rows_of(eve) == [] and rows_of(anna) == []
    (row,) = rows_of(bob)
    assert row[:3] == ["3000", place, "never"]
    assert " ".join(row[3:-1]) == "you by name, for another 2 h"
    assert row[-1].startswith(f"http://3000--dev--{anna.name}.")
    listed = bob.run("list", "--shared", "--output", "json").json()
    assert [(each["port"], each["level"]) for each in listed
            if each["owner"] == anna.name] == [(3000, "users")]
    anna.run("share", "dev", "3000", "--level", "authenticated")
    assert " ".join(rows_of(eve)[0][3:-1]) == "everyone who can log in"
    assert "do not go together" in bob.run("list", "--shared", "--names", code=2).err
    anna.run("delete", "dev", "--yes")
    assert rows_of(bob) == []


def test_a_workspace_from_its_making_to_its_end(person, deployment, supervisor):
    made = person.run("create", "dev", "--output", "json").json()
    assert made["workspace"]["name"] == "dev" and made["workspace"]["owner"] == person.name
    assert made["agent_token"] == made["tokens"][0]["token"]
    assert made["command"].startswith("ADIT_AGENT_TOKEN=")
    home = person.home / "agent"
    (home / "tmp").mkdir(parents=True)
    agent = supervisor.start("agent", ["/bin/sh", "-c", made["command"].replace(
        "adit agent", f"exec {PROGRAM} agent")], env=clean_environment(home), cwd=home,
        good_codes=(0,))
    agent.wait_line("connected to the server")
    assert person.run("list", "--names").out == "dev\n"
    listed = person.run("list").out.splitlines()
    assert listed[0].split() == ["NAME", "OWNER", "TEMPLATE", "AGENT"]
    assert listed[1].split() == ["dev", person.name, "default", "connected"]
    assert "connected" in person.run("show", "dev").out
    assert "already" in person.run("create", "dev", code=1).err
    assert "--yes" in person.run("delete", "dev", code=2).err
    person.run("delete", "dev", "--yes")
    assert person.run("list", "--output", "json").json() == []
    person.run("show", "dev", code=1)


def test_an_agent_token_in_a_file_is_never_shown(person, tmp_path):
    file = tmp_path / "agent-token"
    shown = person.run("create", "quiet", "--token-file", file)
    assert f"--token-file {file}" in shown.out
    assert file.read_text().strip() not in shown.out + shown.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_agent_without_a_token_or_url_says_what_is_missing(cli):
    assert "--url" in cli.run("agent", code=2).err
    assert "ADIT_AGENT_TOKEN" in cli.run("agent", "--url", "http://127.0.0.1:1", code=2).err


def test_a_name_that_is_not_there_is_said_with_what_may_be_meant(person):
    person.run("create", "preview")
    wrong = person.run("show", "preveiw", code=1)
    assert "there is no workspace 'preveiw', or you may not see it" in wrong.err
    assert "did you mean 'preview'?" in wrong.err
    wrong = person.run("port-forward", f"{person.name}/previw", "-R", "0:localhost:1", code=1)
    assert f"there is no workspace '{person.name}/previw'" in wrong.err
    assert "did you mean 'preview'?" in wrong.err
    assert "'adit list' shows those" in person.run("delete", "something", "--yes", code=1).err


def test_a_token_from_the_environment_is_named_where_it_is_not_valid(person):
    for command in (("list",), ("port-forward", "dev", "-R", "0:localhost:1")):
        wrong = person.run(*command, code=3, env={"ADIT_TOKEN": "adit_none"})
        assert "the token in ADIT_TOKEN for" in wrong.err and "adit tokens create" in wrong.err


def test_errors_are_said_once(deployment):
    deployment.admin.run("users", "create", "twice", "--password-stdin", stdin="long enough\n")
    again = deployment.admin.run("users", "create", "twice", "--password-stdin",
                                 stdin="long enough\n", code=1)
    assert again.err == "adit: This name is taken\n"
    assert deployment.admin.run("users", "resume", "nobody", code=1).err == \
        "adit: there is no user 'nobody'\n"
    last = deployment.admin.run("users", "suspend", "admin", code=1).err
    assert last == "adit: This is the last active administrator. Make another user an owner first\n"


# ---- help ----

def test_everything_explains_itself(cli):
    overview = cli.run("help").out
    for name in ("server", "agent", "login", "port-forward", "completion"):
        assert name in overview
        assert "Examples:" in cli.run(name, "--help").out
    assert cli.run("--version").out == cli.run("version").out
    for typed in ("port-froward", "forward", "tunnel"):
        assert "did you mean 'port-forward'" in cli.run(typed, code=2).err


def test_the_version_names_the_cipher_in_use(cli):
    assert "AES-GCM: " in cli.run("version").out
    plain = cli.run("version", "--output", "json", env={"ADIT_NO_IPSEC_MB": "1"}).json()
    assert plain["aes_gcm"].startswith("OpenSSL 3.")


@pytest.mark.parametrize("command, page", [
    ("server", "adit-server.1"), ("agent", "adit-agent.1"),
    ("port-forward", "adit-port-forward.1"), ("ssh", "adit-ssh.1"),
    ("ping", "adit-ping.1"), ("netcheck", "adit-netcheck.1"),
    ("speedtest", "adit-speedtest.1"),
])
def test_the_manual_page_has_every_option(command, page, cli):
    manual = (Path(__file__).parents[2] / "man" / page).read_text()
    manual += (Path(__file__).parents[2] / "man/adit.1").read_text()
    options = re.findall(r"^ +(?:-\w, +)?--([a-z-]+)", cli.run(command, "--help").out, re.M)
    assert len(options) > 3
    assert [each for each in options if f"Fl Fl {each}" not in manual] == []


# ---- on a terminal ----

def test_a_password_is_asked_for_and_never_shown(deployment, person, cli):
    terminal = Terminal(cli, "login", deployment.url)
    terminal.wait(b"User name: ")
    terminal.type(person.name.encode() + b"\n")
    terminal.wait(b"Password: ")
    terminal.type(person.password.encode() + b"\n")
    terminal.wait(b"Logged in to ")
    assert terminal.end() == 0
    assert person.password.encode() not in terminal.seen


def test_a_mistyped_password_is_asked_for_again(deployment, person, cli):
    terminal = Terminal(cli, "login", deployment.url, "--username", person.name)
    terminal.wait(b"Password: ")
    terminal.type(b"a wrong one\n")
    terminal.wait(b"is wrong\r\n")
    terminal.wait(b"Password: ")
    terminal.type(person.password.encode() + b"\n")
    terminal.wait(b"Logged in to ")
    assert terminal.end() == 0


def test_one_s_own_password_is_changed(person, cli, deployment):
    terminal = Terminal(person, "password")
    terminal.wait(b"Old password: ")
    terminal.type(person.password.encode() + b"\n")
    for new, again, answer in (("one of these", "another one", b"the two passwords differ"),
                               ("short", "short", b"shorter than 8 characters"),
                               ("a new password", "a new password", b"The password is changed.")):
        terminal.wait(b"New password: ")
        terminal.type(new.encode() + b"\n")
        terminal.wait(b"The same again: ")
        terminal.type(again.encode() + b"\n")
        terminal.wait(answer)
    assert terminal.end() == 0
    stdin = f"{person.password}\na new password\n"
    assert "not the password" in person.run("password", "--password-stdin", stdin=stdin, code=3).err
    person.run("password", "--password-stdin", stdin=f"a new password\n{person.password}\n")
    cli.run("login", deployment.url, "--username", person.name, "--password-stdin",
            stdin=person.password + "\n")


def test_deleting_asks_first(person):
    person.run("create", "precious")
    terminal = Terminal(person, "delete", "precious")
    terminal.wait(b"[y/N] ")
    terminal.type(b"n\n")
    assert terminal.end() == 1
    assert "precious" in person.run("list", "--names").out
    terminal = Terminal(person, "delete", "precious")
    terminal.wait(b"[y/N] ")
    terminal.type(b"y\n")
    assert terminal.end() == 0
    assert "precious" not in person.run("list", "--names").out


def test_status_lines_are_drawn_in_place(workspace, tcp_echo):
    port = net.free_port()
    terminal = Terminal(workspace.owner, "port-forward", workspace.name, "--tcp",
                        f"{port}:{tcp_echo.port}")
    terminal.wait(f"{workspace.name}: direct 127.0.0.1:".encode())
    assert net.exchange(("127.0.0.1", port), b"x" * 3000) == b"x" * 3000
    terminal.wait(b"0 open/1  in 2.9 KiB")
    terminal.resize(24, 40)
    terminal.type(b"\x03")
    assert terminal.end() == 0
    assert b"\x1b[2A\r\x1b[J" in terminal.seen


def test_no_colour_where_none_is_wanted(person):
    environment = clean_environment(person.home, TERM="xterm", NO_COLOR="1")
    master, slave = os.openpty()
    subprocess.run([PROGRAM, "list"], stdout=slave, stderr=slave, env=environment, check=True)
    os.close(slave)
    assert b"\x1b" not in os.read(master, 65536)
    os.close(master)
