"""An app of a workspace as a test needs it: pages that echo, an API with a cookie, a WebSocket."""
import base64
import hashlib
import json
import struct

from harness.net import TcpServer

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>
<h1>{name}</h1><p id="target">{target}</p></html>"""
WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


class App:
    """Serves on 127.0.0.1 until close(). `seen` holds the heads of its requests."""

    def __init__(self, name):
        self.name = name
        self.seen = []
        self._server = TcpServer(self._serve)
        self.port = self._server.port

    def close(self):
        self._server.close()

    def _serve(self, connection):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head, data = data.split(b"\r\n\r\n", 1)
            line, *fields = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip()
                       for name, _, value in (field.partition(":") for field in fields)}
            self.seen.append((line, headers))
            if headers.get("upgrade", "").lower() == "websocket":
                self._echo_messages(connection, headers["sec-websocket-key"])
                return
            self._answer(connection, line.split()[1], headers)

    def _answer(self, connection, target, headers):
        if target.startswith("/api"):
            kind = "application/json"
            body = json.dumps({"name": self.name, "target": target,
                               "cookie": headers.get("cookie", "")}).encode()
        else:
            kind = "text/html; charset=utf-8"
            shown = target.replace("&", "&amp;").replace("<", "&lt;")
            body = PAGE.format(name=self.name, target=shown).encode()
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    @staticmethod
    def _echo_messages(connection, key):
        accept = base64.b64encode(hashlib.sha1(key.encode() + WEBSOCKET_KEY).digest()).decode()
        connection.sendall("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\n"
                           f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
        while True:
            first, length = read_exactly(connection, 2)
            length &= 0x7f
            if length == 126:
                length = struct.unpack(">H", read_exactly(connection, 2))[0]
            mask = read_exactly(connection, 4)
            text = bytes(byte ^ mask[i % 4]
                         for i, byte in enumerate(read_exactly(connection, length)))
            size = bytes([length]) if length < 126 else b"\x7e" + struct.pack(">H", length)
            connection.sendall(bytes([first]) + size + text)
            if first & 0x0f == 8:
                return
