"""Accounts, tokens and workspaces from the command line; what it does on a terminal."""
import fcntl
import http.server
import json
import os
import re
import select
import signal
import stat
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import pytest

from harness import net
from harness.adit import PROGRAM, Cli, clean_environment
from harness.wait import SCALE


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


# ---- help ----

def test_everything_explains_itself(cli):
    overview = cli.run("help").out
    for name in ("server", "agent", "login", "port-forward", "completion"):
        assert name in overview
        assert "Examples:" in cli.run(name, "--help").out
    assert cli.run("--version").out == cli.run("version").out
    assert "did you mean 'port-forward'" in cli.run("port-froward", code=2).err


def test_the_version_names_the_cipher_in_use(cli):
    assert "AES-GCM: " in cli.run("version").out
    plain = cli.run("version", "--output", "json", env={"ADIT_NO_IPSEC_MB": "1"}).json()
    assert plain["aes_gcm"].startswith("OpenSSL 3.")


@pytest.mark.parametrize("line, expected", [
    ("adit port-fo", "port-forward"), ("adit users ", "create"), ("adit list --output ", "json"),
    ("adit port-forward dev --auto", "--auto-port"), ("adit server --wild",
                                                      "--wildcard-access-url"),
])
def test_bash_completes(line, expected, cli):
    script = cli.run("completion", "bash").out
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    check = (f"{script}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _adit\n"
             "printf '%s\\n' \"${COMPREPLY[@]}\"")
    done = subprocess.run(["bash", "-c", check], capture_output=True, check=True)
    assert expected in done.stdout.decode().split()


class Hostile(http.server.BaseHTTPRequestHandler):
    """A server whose workspaces have names that do something."""

    def do_GET(self):
        owners = ["eve", "$(touch pwned)", "eve"]
        names = ["$(touch pwned)", "dev", "`touch${IFS}pwned`"]
        made = [{"name": name, "owner": owner, "agents": []} for owner, name in zip(owners, names)]
        body = json.dumps({"workspaces": [*made, {"name": "dev", "owner": "eve"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_completion_runs_nothing_that_a_server_says(cli, tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    script = cli.run("completion", "bash").out
    check = f"{script}\nCOMP_WORDS=(adit show ''); COMP_CWORD=2; _adit\necho ${{COMPREPLY[@]}}"
    place = tmp_path / "place"
    place.mkdir()
    (place / "adit").symlink_to(Path(PROGRAM).absolute())
    environment = clean_environment(cli.home, ADIT_URL=f"http://127.0.0.1:{server.server_port}",
                                    ADIT_TOKEN="x", PATH=f"{place}:{os.environ['PATH']}")
    try:
        done = subprocess.run(["bash", "-c", check], capture_output=True, check=True, cwd=place,
                              env=environment)
    finally:
        server.shutdown()
        server.server_close()
    assert "eve/dev" in done.stdout.decode().split()
    assert not (place / "pwned").exists()


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

class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, cli, *args, rows=24, columns=80):
        self.master, slave = os.openpty()
        self.resize(rows, columns, tell=False)
        environment = clean_environment(cli.home, TERM="xterm")
        self.seen = b""
        self.popen = subprocess.Popen([PROGRAM, *map(str, args)], stdin=slave, stdout=slave,
                                      stderr=slave, env=environment, cwd=cli.home,
                                      start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def resize(self, rows, columns, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.popen.send_signal(signal.SIGWINCH)

    def wait(self, text, timeout=10):
        end = time.monotonic() + timeout * SCALE
        mark = len(self.seen)
        while text not in self.seen[mark - len(text) if mark > len(text) else 0:]:
            assert time.monotonic() < end, f"no {text!r} in {self.seen.decode()!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    break
        assert text in self.seen, self.seen.decode()

    def type(self, text):
        os.write(self.master, text)

    def end(self, timeout=10):
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            self.seen += piece
        os.close(self.master)
        return self.popen.wait(timeout=timeout * SCALE)


def test_a_password_is_asked_for_and_never_shown(deployment, person, cli):
    terminal = Terminal(cli, "login", deployment.url)
    terminal.wait(b"User name: ")
    terminal.type(person.name.encode() + b"\n")
    terminal.wait(b"Password: ")
    terminal.type(person.password.encode() + b"\n")
    terminal.wait(b"Logged in to ")
    assert terminal.end() == 0
    assert person.password.encode() not in terminal.seen


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
