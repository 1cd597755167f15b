"""Fixtures of the browser tests, beside those of tests/conftest.py."""
import shutil

import pytest

from chromium import HERE, Driver
from dashboard import DESKTOP, Board
from harness import adit, net
from harness.apps import App, self_signed, token_of

DOMAIN = "adit.test"


def pytest_sessionstart():
    if not (shutil.which("chromium") and (HERE / "node_modules/playwright-core").is_dir()):
        pytest.exit("script/test browser installs what these tests need", returncode=3)


@pytest.fixture(scope="session")
def browser(session_supervisor, tmp_path_factory):
    """One Chromium for all tests; each person in front of it is a context of their own."""
    driver = Driver(session_supervisor, tmp_path_factory.mktemp("browser"),
                    f"MAP {DOMAIN} 127.0.0.1, MAP *.{DOMAIN} 127.0.0.1")
    yield driver
    driver.close()


@pytest.fixture
def visitor(browser):
    """Makes people in front of a browser that are not logged in: visitor(**options)."""
    made = []

    def make(**options):
        made.append(browser.person(**options))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def app():
    """Makes apps that listen where the agents run (harness.apps.App) and show what they got."""
    made = []

    def make():
        made.append(App())
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def tls_app(tmp_path):
    """An app that speaks HTTPS, with a certificate that nobody signed."""
    made = App(self_signed(tmp_path))
    yield made
    made.close()


@pytest.fixture
def named_deployment(supervisor, tmp_path):
    """A deployment with names like those of the world: adit.test, *.apps.adit.test."""
    port = net.free_port()
    made = adit.Deployment(supervisor, tmp_path / "named", (
        "--access-url", f"http://{DOMAIN}:{port}",
        "--wildcard-access-url", f"*.apps.{DOMAIN}:{port}"))
    made.url = here = f"http://127.0.0.1:{port}"
    made.start()
    # Commands reach it by its address: only the browser knows the names.
    made.url = here
    return made.set_up()


@pytest.fixture
def url_of():
    """The URL of a port of a workspace: url_of(workspace, port, "/path?query", wildcard domain)."""
    def make(workspace, port, target="/", domain="localhost"):
        return (f"http://{port}--{workspace.name}--{workspace.owner.name}.{domain}"
                f":{workspace.deployment.port}{target}")
    return make


@pytest.fixture
def named_url_of(url_of):
    return lambda workspace, port, target="/": url_of(workspace, port, target, f"apps.{DOMAIN}")


@pytest.fixture
def share():
    """Sets the share level of a port: share(workspace, port, "public")."""
    def put(workspace, port, level, **more):
        url = workspace.deployment.url
        api = workspace.deployment.api(token_of(workspace.owner, url))
        api.request("PUT", f"/workspaces/{workspace.owner.name}/{workspace.name}/agents/main"
                    f"/shares/{port}", 200, json={"level": level, **more})
    return put


@pytest.fixture
def log_in():
    """Fills the log-in form that the page shows: log_in(page, person)."""
    def fill(page, person):
        page.fill("#user", person.name)
        page.fill("#password", person.password)
        page.click("button[type=submit]")
    return fill


@pytest.fixture
def board(visitor, deployment):
    """Puts people in front of the dashboard: board(person, **options of the browser)."""
    at = deployment

    def make(person=None, deployment=None, **options):
        return Board(visitor(**{**DESKTOP, **options}), deployment or at, person,
                     options.get("isMobile", False))
    return make
