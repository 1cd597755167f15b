"""Fixtures of the browser tests, beside those of tests/conftest.py."""
import itertools
import shutil
from urllib.parse import urlsplit

import pytest

from apps import App
from chromium import HERE, Driver


def pytest_sessionstart():
    if not (shutil.which("chromium") and (HERE / "node_modules/playwright-core").is_dir()):
        pytest.exit("script/test browser installs what these tests need", returncode=3)


@pytest.fixture(scope="session")
def browser(session_supervisor, tmp_path_factory):
    """One Chromium for all tests; each person in front of it is a context of their own."""
    driver = Driver(session_supervisor, tmp_path_factory.mktemp("browser"))
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
    """Makes apps that listen where the agents run: app(name)."""
    made = []
    count = itertools.count(1)

    def make(name=None):
        made.append(App(name or f"app {next(count)}"))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def url_of():
    """The URL of a port of a workspace: url_of(workspace, port, "/path?query", scheme letter)."""
    def make(workspace, port, target="/", letter=""):
        deployment = workspace.deployment
        access = urlsplit(deployment.url)
        return (f"{access.scheme}://{port}{letter}--{workspace.name}--{workspace.owner.name}"
                f".localhost:{access.port}{target}")
    return make


@pytest.fixture
def log_in():
    """Fills the log-in form that the page shows: log_in(page, person)."""
    def fill(page, person):
        page.fill("#user", person.name)
        page.fill("#password", person.password)
        page.click("button[type=submit]")
    return fill
