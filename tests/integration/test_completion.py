"""Completion, in the shells themselves."""
import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from harness.adit import PROGRAM, clean_environment
from harness.terminal import Terminal

WITH_ADIT = {"PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("line, expected", [
    ("adit port-fo", "port-forward"), ("adit users ", "create"),
    ("adit list --output ", "json"), ("adit list -o ", "json"),
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


@pytest.mark.parametrize("line, expected, never", [
    ("adit port-fo", "port-forward", "ports"),
    ("adit users ", "create", "delete-all"),
    ("adit list --output ", "json", "csv"),
    ("adit port-forward dev --auto", "--auto-port", "--names"),
    ("adit templates list --", "--output", "--names"),
    ("adit help port", "port-forward", "list"),
    ("adit show prec", "precious", "show"),
])
def test_fish_completes(line, expected, never, person):
    if "prec" in line:
        person.run("create", "precious")
    check = f"{PROGRAM} completion fish | source; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", check], capture_output=True, check=True,
                          env=clean_environment(person.home, **WITH_ADIT), cwd=person.home)
    assert done.stderr == b""
    offered = [each.split("\t")[0] for each in done.stdout.decode().splitlines()]
    assert expected in offered and never not in offered


def test_zsh_completes(person):
    """The line is run as it was completed; nothing else would find what it prints."""
    person.run("create", "precious")
    shell = Terminal(person, "-f", "-i", program="zsh", columns=200, env={
        **WITH_ADIT, "PS1": "ready> ", "SCRIPT": person.run("completion", "zsh").out})
    shell.wait(b"ready> ")
    shell.type(b'autoload -Uz compinit; compinit -u -D; eval "$SCRIPT"; echo "set"up\n')
    shell.wait(b"setup\r\n")
    for line, printed in ((b"adit sho\tprec\t\n", b"/precious\r\n"),
                          (b"adit list --output js\t\n", b'"name": "precious"'),
                          (b"adit users li\t--he\t\n", b"List the users"),
                          (b"adit help port-\t\n", b"SPEC")):
        shell.wait(b"ready> ")
        shell.type(line)
        shell.wait(printed)
    shell.wait(b"ready> ")
    shell.type(b"exit\n")
    assert b"not found" not in shell.seen and shell.end() == 0


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
