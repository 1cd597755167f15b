"""Web apps in a workspace, and the browser in front of them."""
import base64
import hashlib
import http.client
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import requests

from .wait import SCALE

DOMAIN = "apps.example.test"
WEBSOCKET_KEY = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.websocket()
        elif path == "/events":
            self.events()
        elif path == "/big":
            self.big(int(self.path.split("=")[1]))
        elif path == "/trailers":
            self.trailers()
        elif path == "/interim":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            self.answer(b"after")
        elif re.fullmatch(r"/status/\d+", path):
            status = int(path.rsplit("/", 1)[1])
            if status in (204, 304):
                self.send_response(status)
                self.end_headers()
            else:
                self.answer(b"status", status)
        elif path == "/cookies":
            self.answer(b"", Set_Cookie="adit_ticket=evil; Path=/")
        else:
            said = {"method": self.command, "path": self.path,
                    "headers": [[name, value] for name, value in self.headers.items()]}
            self.answer(json.dumps(said).encode(), Content_Type="application/json")

    do_HEAD = do_GET
    do_OPTIONS = do_GET

    def handle_expect_100(self):
        """Old apps know nothing of it."""
        return self.path == "/silent" or super().handle_expect_100()

    def do_POST(self):
        digest, length = hashlib.sha256(), 0
        if self.headers.get("Transfer-Encoding"):
            while True:
                size = int(self.rfile.readline(), 16)
                digest.update(self.rfile.read(size))
                length += size
                self.rfile.readline()
                if size == 0:
                    break
        else:
            left = int(self.headers["Content-Length"])
            while left:
                data = self.rfile.read(min(left, 1 << 20))
                digest.update(data)
                length += len(data)
                left -= len(data)
        self.answer(f"{length} {digest.hexdigest()}".encode())

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        for _ in range(self.server.events):
            self.wfile.write(f"data: {time.monotonic()}\n\n".encode())
            self.wfile.flush()
            if not self.server.event_seen.acquire(timeout=20 * SCALE):
                return

    def big(self, size):
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = bytes(1 << 20)
        while size:
            size -= self.wfile.write(block[:min(size, len(block))])

    def trailers(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Sum")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n")

    def websocket(self):
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_KEY).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return
            length = head[1] & 127
            if length == 126:
                length = int.from_bytes(self.rfile.read(2), "big")
            mask = self.rfile.read(4)
            data = bytes(b ^ mask[i % 4] for i, b in enumerate(self.rfile.read(length)))
            size = bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big")
            self.wfile.write(bytes([head[0]]) + size + data)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        pass


class App:
    """A web service that says what it got, with a few paths that do more. It sends an event only
    when the one before was seen(), so that none may wait for the next."""

    def __init__(self, certificate=None):
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.events = 5
        self.server.event_seen = threading.Semaphore(0)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def seen(self):
        self.server.event_seen.release()

    def close(self):
        self.server.event_seen.release()
        self.server.shutdown()
        self.server.server_close()


def self_signed(folder):
    """Certificate and key that nobody has reason to believe."""
    names = (folder / "cert.pem", folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=nobody",
                    "-out", names[0], "-keyout", names[1]], check=True, capture_output=True)
    return names


def token_of(person, url):
    """The session of somebody who logged in by the command line."""
    file = person.home / "config/adit/credentials.json"
    return json.loads(file.read_text())["deployments"][url]["token"]


def host_of(deployment, target, workspace, owner="admin"):
    return f"{target}--{workspace.name}--{owner}.{DOMAIN}:{deployment.port}"


class Connection:
    """One HTTP/1.1 connection to the server, for hosts that no resolver knows."""

    def __init__(self, deployment, host, token=None, **fields):
        self.http = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=30)
        self.fields = {"Host": host, **{k.replace("_", "-"): v for k, v in fields.items()}}
        if token:
            self.fields["Adit-Session-Token"] = token

    def ask(self, method="GET", path="/", body=None, **fields):
        """The answer, whole; its text is in `.text`."""
        given = {**self.fields, **{k.replace("_", "-"): v for k, v in fields.items()}}
        self.http.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        if body is not None:
            given["Content-Length"] = str(len(body))
        for name, value in given.items():
            self.http.putheader(name, value)
        self.http.endheaders(body)
        answer = self.http.getresponse()
        answer.text = answer.read().decode(errors="replace")
        return answer

    def json(self, *args, **fields):
        answer = self.ask(*args, **fields)
        assert answer.status == 200, (answer.status, answer.text)
        return json.loads(answer.text)

    def close(self):
        self.http.close()


class Browser:
    """Follows redirects and keeps cookies as a browser does; all names under .test are here."""

    def __init__(self, deployment):
        self.deployment = deployment
        self.session = requests.Session()
        self.session.trust_env = False

    def request(self, method, url, **options):
        resolve = socket.getaddrinfo

        def here(host, *args, **more):
            name = "127.0.0.1" if str(host).endswith(".test") else host
            return resolve(name, *args, **more)
        socket.getaddrinfo = here
        try:
            return self.session.request(method, url, timeout=30, **options)
        finally:
            socket.getaddrinfo = resolve

    def get(self, url, **options):
        return self.request("GET", url, **options)

    def submit(self, page, **values):
        """Sends the form of a page, its hidden fields with it."""
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        fields = {name: value.replace("&amp;", "&") for name, value in fields.items()}
        action = re.search(r'<form method="post" action="([^"]+)"', page.text).group(1)
        return self.post(action, **fields, **values)

    def post(self, path, **values):
        """Sends a form of the access host."""
        return self.request("POST", self.deployment.url + path, data=values,
                            headers={"Origin": self.deployment.url})

    def log_in(self, url, person):
        """Opens a URL that asks for the log-in, logs in, and returns where that leads."""
        page = self.get(url)
        assert "Log in" in page.text and page.url.startswith(self.deployment.url + "/login")
        return self.submit(page, user=person.name, password=person.password)
