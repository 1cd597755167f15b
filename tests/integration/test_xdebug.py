"""A debugger that calls back: PHP on the workspace, an editor's listener on the laptop.

The engine is Debian's php-cli with php-xdebug; the listener speaks DBGp as an editor does
(https://xdebug.org/docs/dbgp): a command ends with a zero byte, an answer is its length, a zero
byte, XML, a zero byte.
"""
import shlex
import socket
from xml.etree import ElementTree

import pytest

from harness import net
from harness.adit import PROGRAM, clean_environment
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
