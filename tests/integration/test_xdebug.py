"""A debugger that calls back: PHP on the workspace, an editor's listener on the laptop.

The engine is Debian's php-cli with php-xdebug; the listener speaks DBGp as an editor does
(https://xdebug.org/docs/dbgp): a command ends with a zero byte, an answer is its length, a zero
byte, XML, a zero byte.
"""
import concurrent.futures
import re
import shlex
import socket
import subprocess
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
import requests

from harness import net
from harness.adit import PROGRAM, clean_environment
from harness.guide import Guide
from harness.wait import SCALE

HOST = "127.0.0.1"
SCRIPT = """<?php
function total(array $prices) {
    $sum = 0;
    foreach ($prices as $price)
        $sum += $price;
    return $sum;
}
echo total([19, 23]), "\\n";
"""
BREAK_LINE = 6


class Editor:
    """Waits for one engine, and asks it questions."""

    def __init__(self):
        self._listener = socket.create_server((HOST, 0))
        self._listener.settimeout(20 * SCALE)
        self.port = self._listener.getsockname()[1]
        self._engine = None
        self._count = 0

    def accept(self):
        """The engine's greeting. An agent that looks what this is says nothing, or HEAD."""
        while True:
            self._engine, _ = self._listener.accept()
            self._engine.settimeout(20 * SCALE)
            if self._engine.recv(1, socket.MSG_PEEK).isdigit():
                return self._receive()
            self._engine.close()

    def _until_zero(self):
        data = b""
        while not data.endswith(b"\0"):
            byte = self._engine.recv(1)
            assert byte, "the engine has gone"
            data += byte
        return data[:-1]

    def _receive(self):
        length = int(self._until_zero())
        text = self._until_zero()
        assert len(text) == length
        return ElementTree.fromstring(text)

    def command(self, name, *arguments):
        self._count += 1
        words = [name, "-i", str(self._count), *map(str, arguments)]
        self._engine.sendall(" ".join(words).encode() + b"\0")
        answer = self._receive()
        assert answer.get("transaction_id") == str(self._count)
        assert answer.find("{urn:debugger_protocol_v1}error") is None, ElementTree.tostring(answer)
        return answer

    def let_go(self):
        """The engine ends, and another may come."""
        self._engine.close()

    def close(self):
        self._listener.close()
        if self._engine:
            self._engine.close()


@pytest.fixture
def editor():
    made = Editor()
    yield made
    made.close()


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "total.php"
    path.write_text(SCRIPT)
    return path


def php(port, script):
    """The command on the workspace, with the options of the walk-through."""
    return ["php", "-d", "xdebug.mode=debug", "-d", "xdebug.start_with_request=yes",
            "-d", "xdebug.client_host=127.0.0.1", "-d", f"xdebug.client_port={port}", str(script)]


def debug(editor, script):
    """Stops at the breakpoint, looks, changes nothing, and lets the script end."""
    init = editor.accept()
    assert init.get("language") == "PHP"
    assert init.get("fileuri") == script.as_uri()
    editor.command("breakpoint_set", "-t", "line", "-f", script.as_uri(), "-n", BREAK_LINE)
    stopped = editor.command("run")
    assert (stopped.get("status"), stopped.get("reason")) == ("break", "ok")
    where = stopped.find("{https://xdebug.org/dbgp/xdebug}message")
    assert where.get("lineno") == str(BREAK_LINE)
    value = editor.command("property_get", "-n", "$sum")
    assert value.find("{urn:debugger_protocol_v1}property").text == "42"
    assert editor.command("run").get("status") == "stopping"


def test_a_breakpoint_over_ssh(workspace, supervisor, editor, script):
    port = net.free_port()
    owner = workspace.owner
    command = " ".join(map(shlex.quote, php(port, script)))
    running = supervisor.start(
        "ssh", [PROGRAM, "ssh", workspace.name, "-R", f"{port}:{HOST}:{editor.port}", command],
        cwd=owner.home, good_codes=(0,), env=clean_environment(owner.home))
    debug(editor, script)
    editor.close()
    assert running.wait_exit() == 0
    assert running.text("out") == "42"


def test_a_breakpoint_over_port_forward(workspace, forward, editor, script):
    running = forward("-R", f"0:{HOST}:{editor.port}")
    started = workspace.owner.start("ssh", workspace.name, *php(running.ports[0], script))
    debug(editor, script)
    editor.close()
    assert started.wait_exit() == 0
    assert started.text("out") == "42"
    running.stop()


def get(deployment, url, token, target):
    """Part of a page of the workspace, as its owner's browser gets it."""
    return requests.get(f"{deployment.url}{target}", timeout=30 * SCALE, headers={
        "Host": urlsplit(url).netloc, "Adit-Session-Token": token}).text


def test_the_guide_is_true(own_deployment, supervisor, editor, tmp_path):
    workspace, ada = own_deployment.workspace(name="dev"), own_deployment.admin
    shop = tmp_path / "shop"
    shop.mkdir()
    script = shop / "total.php"
    script.write_text(SCRIPT)
    port, page = net.free_port(), net.free_port()
    guide = Guide("docs/guides/xdebug.md", supervisor, tmp_path, {
        "/srv/shop": shop, "-R 9003:127.0.0.1:9003": f"-R {port}:{HOST}:{editor.port}",
        "-R 0:127.0.0.1:9003": f"-R 0:{HOST}:{editor.port}",
        "php ": f"php -d xdebug.client_port={port} ", "8080": page})
    subprocess.run(["dpkg", "-s", *(f"php-{name}" if name in ("cli", "xdebug") else name
                                    for name in re.findall(r"cli|xdebug|openssh-server",
                                                           guide.command("apt install")))],
                   check=True, stdout=subprocess.DEVNULL)

    shell = guide.start("adit ssh dev -R 9003", ada)
    for command in ("cd", "XDEBUG_MODE=debug XDEBUG_SESSION=1 php"):
        shell.write(guide.command(command).encode() + b"\n")
    shell.close_stdin()
    debug(editor, script)
    editor.let_go()
    assert shell.wait_exit(20) == 0
    assert shell.text("out").endswith("42")

    guide.start("adit port-forward", ada).wait_line("^Forwarding ", timeout=20)
    guide.start("XDEBUG_MODE=debug php -S", cwd=shop, good_codes=None)\
        .wait_line("started", stream="err")
    url = guide.run("adit open", ada).strip()
    token = ada.run("tokens", "create", "browser").out.strip()
    assert get(own_deployment, url, token, "/total.php") == "42\n"
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(get, own_deployment, url, token, "/total.php?XDEBUG_TRIGGER=1")
        debug(editor, script)
        editor.let_go()
        assert answer.result() == "42\n"

    asked = guide.start("adit ssh dev -R 0", ada)
    told = asked.wait_line(r"^Allocated port (\d+) for remote forward to", 20, stream="err")
    guide.instead["38211"] = told[1]
    running = guide.start("XDEBUG_MODE=debug XDEBUG_SESSION=1 XDEBUG_CONFIG", cwd=shop)
    debug(editor, script)
    editor.let_go()
    assert running.wait_exit() == 0
    assert running.text("out") == "42"
    asked.close_stdin()
    assert asked.wait_exit() == 0
    guide.finish()
    assert workspace.connected()
