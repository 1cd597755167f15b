"""Completion, in the shells themselves."""
import os
import subprocess
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
