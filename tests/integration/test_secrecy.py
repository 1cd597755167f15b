"""What is forwarded is seen by its two ends alone."""
import os
import re
import secrets
import socket
import threading
from pathlib import Path

import pytest
from harness import net
from harness.adit import Cli, PROGRAM, clean_environment
from harness.wait import until


def memory_of(pid):
    """All readable memory of a process, piece by piece."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not match or "[v" in line:
                continue
            start, end = (int(text, 16) for text in match.groups())
            try:
                memory.seek(start)
                yield memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue


def holds(pid, marker):
    return any(marker in piece for piece in memory_of(pid))


class Tap:
    """A TCP hop in front of a server that keeps what passes, both ways."""

    def __init__(self, port):
        self.seen = bytearray()
        self._port = port
        self.server = net.TcpServer(self._serve)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.port}"

    def _serve(self, near):
        far = socket.create_connection(("127.0.0.1", self._port))

        def copy(source, target):
            try:
                while data := source.recv(65536):
                    self.seen += data
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass
        back = threading.Thread(target=copy, args=(far, near), daemon=True)
        back.start()
        copy(near, far)
        back.join()
        far.close()

    def close(self):
        self.server.close()


@pytest.mark.memory
def test_the_relay_never_holds_a_forwarded_byte(own_deployment, supervisor, tcp_echo):
    tap = Tap(own_deployment.port)
    try:
        workspace = own_deployment.workspace(agent=False)
        home = workspace.token_file.parent
        (home / "tmp").mkdir(exist_ok=True)
        supervisor.start("agent", [PROGRAM, "agent", "--url", tap.url, "--token-file",
                                   workspace.token_file], env=clean_environment(home), cwd=home,
                         good_codes=(0,))
        workspace.wait_connected()
        mine = Cli(supervisor, own_deployment.root / "tapped", "admin")
        mine.login(tap.url, own_deployment.admin.password)
        forward = mine.forward(workspace.name, "--no-direct", "--tcp",
                               f"{net.free_port()}:{tcp_echo.port}")

        marker = secrets.token_hex(32).encode()
        text = (marker + b" ") * 2000
        with socket.create_connection(("127.0.0.1", forward.ports[0]), timeout=20) as connection:
            connection.sendall(text)
            got = b""
            while len(got) < len(text):
                got += connection.recv(65536)
            assert got == text
            # While it is open: the ends hold the bytes, what is between them does not.
            assert holds(os.getpid(), marker)
            assert not holds(own_deployment.server.pid, marker)
        until(lambda: len(tap.seen) > 2 * len(text), "the tap sees as many bytes pass")
        assert marker not in tap.seen
    finally:
        tap.close()
