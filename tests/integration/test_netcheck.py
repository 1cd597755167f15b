"""adit netcheck: what it says of the way to the server, and of what stands in it."""
import email.utils
import http.client
import http.server
import socket
import ssl
import threading
import time

import pytest

from harness import apps, net

PASSED_ON = ("content-type", "content-length")


@pytest.fixture
def serve():
    """Serves a handler on a free port until the test ends: serve(handler, tls=context)."""
    servers = []

    def start(handler, tls=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_port
    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class Quiet(http.server.BaseHTTPRequestHandler):
    """Says that there is nothing, and logs nothing."""

    def do_GET(self):
        self.send_error(404)

    def log_message(self, *args):
        pass


def check(cli, *args, code=0, **options):
    return cli.run("netcheck", "--output", "json", *args, code=code, **options).json()


def test_a_way_that_is_free(deployment, person):
    found = check(person)
    assert found["reached"] and found["url"] == deployment.url and not found["proxy"]
    (address,) = found["addresses"]
    assert address["address"] == f"127.0.0.1:{deployment.port}" and address["connect_ms"] > 0
    assert found["answer_ms"] > 0 and not found["encrypted"] and found["via"] is None
    assert found["version"] in person.run("version").out
    assert (found["websocket"], found["log_in"]) == ("passes", "valid")
    assert abs(found["clock_ahead_s"]) <= 1
    lines = {line[:13].strip(): line[14:] for line in person.run("netcheck").out.splitlines()}
    assert lines["WebSockets"] == "pass" and lines["clock"] == "as the server's"
    assert lines["addresses"].startswith(f"127.0.0.1:{deployment.port} connects in ")


def test_without_a_log_in_the_handshake_is_not_tried(deployment, cli):
    found = check(cli, "--url", deployment.url)
    assert found["reached"]
    assert (found["websocket"], found["log_in"]) == (None, "none")
    assert "adit login" in cli.run("netcheck", code=3).err


def test_a_log_in_that_has_ended_is_told(deployment, cli):
    done = cli.run("netcheck", "--url", deployment.url, env={"ADIT_TOKEN": "adit_wrong"}, code=3)
    assert "adit login" in done.err


def test_nobody_there(cli):
    port = net.free_port()
    done = cli.run("netcheck", "--url", f"http://127.0.0.1:{port}", code=4)
    assert f"127.0.0.1:{port} does not connect: connection refused" in done.out
    assert "is not reached" in done.err
    found = check(cli, "--url", "http://no-such-name.invalid", code=4)
    assert not found["reached"] and "name" in found["error"] and found["addresses"] == []


def test_something_else_that_answers(cli, serve):
    found = check(cli, "--url", f"http://127.0.0.1:{serve(Quiet)}", code=4)
    assert found["addresses"][0]["connect_ms"] > 0
    assert "not as an adit server" in found["error"]


def test_a_certificate_that_nobody_signed(cli, serve, tmp_path):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*apps.self_signed(tmp_path))
    found = check(cli, "--url", f"https://127.0.0.1:{serve(Quiet, tls)}", code=4)
    assert "certificate" in found["error"] and found["encrypted"]


def test_a_proxy_that_takes_a_handshake_for_a_request(deployment, cli, serve):
    class OldProxy(Quiet):
        """Hands nothing on that is meant for one hop, and its clock is an hour behind."""

        def do_GET(self):
            server = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=20)
            fields = {name: value for name, value in self.headers.items()
                      if name.lower() not in ("connection", "upgrade", "host")}
            server.request("GET", self.path, headers=fields)
            answer = server.getresponse()
            body = answer.read()
            self.send_response_only(answer.status)
            self.send_header("Date", email.utils.formatdate(time.time() - 3600, usegmt=True))
            self.send_header("Via", "1.1 old-proxy")
            for name, value in answer.getheaders():
                if name.lower() in PASSED_ON:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            server.close()

    url = f"http://127.0.0.1:{serve(OldProxy)}"
    token = {"ADIT_TOKEN": apps.token_of(deployment.admin, deployment.url)}
    found = check(cli, "--url", url, env=token, code=1)
    assert found["reached"] and found["via"] == "1.1 old-proxy"
    assert found["websocket"] == "stopped"
    assert 3598 <= found["clock_ahead_s"] <= 3602
    done = cli.run("netcheck", "--url", url, env=token, code=1)
    assert "do not pass" in done.out and "ahead of the server" in done.out
    assert "Upgrade" in done.err


def test_a_proxy_of_the_environment_is_what_is_connected_to(deployment, cli, serve):
    class Forward(Quiet):
        """A proxy for plain http: takes whole URLs."""

        def do_GET(self):
            if not self.path.startswith(deployment.url.replace("127.0.0.1", "adit.test") + "/"):
                self.send_error(400)
                return
            server = http.client.HTTPConnection("127.0.0.1", deployment.port, timeout=20)
            server.request("GET", "/" + self.path.split("/", 3)[3])
            answer = server.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            server.close()

    port = serve(Forward)
    found = check(cli, "--url", deployment.url.replace("127.0.0.1", "adit.test"),
                  env={"http_proxy": f"http://127.0.0.1:{port}"})
    assert found["proxy"] and found["reached"]
    assert [each["address"] for each in found["addresses"]] == [f"127.0.0.1:{port}"]


def test_addresses_of_this_machine_are_not_loopback(person):
    found = check(person)
    for address in found["local_addresses"]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        assert socket.inet_pton(family, address)
        assert not address.startswith("127.") and address != "::1"
