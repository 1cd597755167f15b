"""Health of apps: checked by the agent, shown to who looks, in nobody's way."""
import http.server
import threading

import pytest

from harness import apps
from harness.events import Events
from harness.wait import until


class Sick(http.server.BaseHTTPRequestHandler):
    """Answers every request with the status that the test has set."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.paths.append(self.path)
        self.send_response(self.server.status)
        if 300 <= self.server.status < 400:
            self.send_header("Location", self.server.elsewhere)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")


def serve(status=200):
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sick)
    made.status, made.paths, made.elsewhere = status, [], None
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


@pytest.fixture
def app():
    made = serve()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def events(deployment, app):
    """A workspace whose template has the app, and a look at it."""
    name = deployment.unique("health")
    deployment.admin.run("templates", "push", name, "-", stdin=f"""
apps:
  - slug: lab
    url: http://localhost:{app.server_port}/start
    healthcheck: {{url: /ok, interval: 1s, threshold: 2}}
  - slug: plain
    url: http://localhost:9
""")
    ws = deployment.workspace(template=name)
    token = apps.token_of(deployment.admin, deployment.url)
    with Events(deployment, token, f"admin/{ws.name}") as made:
        made.ws = ws
        yield made
    ws.agent.stop()


def health(data, slug="lab"):
    return next(each["health"] for each in data["apps"] if each["slug"] == slug)


def test_an_app_falls_ill_after_its_threshold_and_gets_well_at_once(events, app):
    well = events.wait("apps", lambda data: health(data) == "healthy")
    assert health(well.data, "plain") == "disabled"
    assert app.paths[0] == "/ok"
    before = len(app.paths)
    app.status = 503
    events.wait("apps", lambda data: health(data) == "unhealthy", timeout=10)
    assert len(app.paths) - before >= 2
    app.status = 404
    events.wait("apps", lambda data: health(data) == "healthy", timeout=10)


def test_a_redirect_is_success_and_is_not_followed(events, app):
    other = serve()
    app.elsewhere = f"http://127.0.0.1:{other.server_port}/trap"
    app.status = 302
    events.wait("apps", lambda data: health(data) == "healthy", timeout=10)
    before = len(app.paths)
    until(lambda: len(app.paths) >= before + 2, "it is asked again, and again")
    assert other.paths == []
    assert health(events.latest("apps")) == "healthy"
    other.shutdown()
    other.server_close()


def test_health_is_unknown_while_the_agent_is_away(events, app):
    events.wait("apps", lambda data: health(data) == "healthy")
    events.ws.agent.stop()
    events.wait("apps", lambda data: health(data) == "unknown")
    events.ws.start_agent()
    events.wait("apps", lambda data: health(data) == "healthy", timeout=10)


def test_a_sick_app_opens_all_the_same(events, app, deployment):
    app.status = 500
    events.wait("apps", lambda data: health(data) == "unhealthy", timeout=10)
    shown = deployment.admin.run("show", events.ws.name)
    assert "unhealthy" in shown.out
