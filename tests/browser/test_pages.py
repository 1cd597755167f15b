"""The pages that stand in for an app: what they say, and that they go away by themselves."""
import os
from pathlib import Path

import pytest

from harness import net

# A folder for pictures of the pages, for people to look at.
PICTURES = os.environ.get("ADIT_TEST_PICTURES")


@pytest.fixture
def open_app(visitor, log_in):
    """Opens an app as somebody and returns the page: open_app(url, person, **options)."""
    def make(url, person, **options):
        page = visitor(**options).new_page()
        page.goto(url)
        if page.is_visible("#password"):
            log_in(page, person)
            page.wait_for_selector("main, pre")
        return page
    return make


def picture(page, name):
    if PICTURES:
        page.screenshot({"path": str(Path(PICTURES) / f"{name}.png")})


def contrast(page, selector):
    """WCAG contrast of the element's text against the page."""
    return page.evaluate("""(() => {
        const light = color => {
            const [r, g, b] = color.match(/[\\d.]+/g).map(part => {
                part /= 255;
                return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const [a, b] = [getComputedStyle(document.querySelector('SELECTOR')).color,
                        getComputedStyle(document.body).backgroundColor].map(light);
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    })()""".replace("SELECTOR", selector))


SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@SCHEMES
def test_nothing_listens(workspace, open_app, url_of, scheme):
    port = net.free_port()
    page = open_app(url_of(workspace, port), workspace.owner, colorScheme=scheme)
    assert str(port) in page.text_content("h1")
    assert page.is_visible("text=Try again")
    assert contrast(page, "p") >= 7
    picture(page, f"nothing-listens-{scheme}")


@SCHEMES
def test_missing_and_forbidden_look_the_same(workspace, deployment, app, open_app, url_of, scheme):
    stranger = deployment.user()
    page = open_app(url_of(workspace, app().port), stranger, colorScheme=scheme)
    forbidden = page.content()
    assert page.text_content("h1") == "Not found"
    assert f"You are logged in as {stranger.name}:" in page.text_content("body")
    picture(page, f"not-found-{scheme}")
    for url in (url_of(workspace, 9999), url_of(workspace, 9999).replace("--ws-", "--none-"),
                url_of(workspace, 9999).replace("--admin", "--nobody")):
        assert page.goto(url).status() == 404
        assert page.content() == forbidden


@SCHEMES
def test_the_offline_page_opens_the_app_when_the_agent_is_back(
        deployment, app, open_app, url_of, scheme):
    owner = deployment.user()
    workspace = deployment.workspace(owner=owner)
    url = url_of(workspace, app().port, "/?kept=1")
    assert workspace.agent.stop() == []
    workspace.wait_connected(False)
    page = open_app(url, owner, colorScheme=scheme)
    assert page.text_content("h1") == "Workspace offline"
    assert contrast(page, "p") >= 7
    picture(page, f"offline-{scheme}")
    workspace.start_agent()
    page.wait_for_selector("pre")
    assert page.url() == url


def test_a_name_that_does_not_parse(deployment, visitor):
    page = visitor().new_page()
    assert page.goto(f"http://1--2--3--4--5.localhost:{deployment.port}/").status() == 400
    picture(page, "bad-host")


@SCHEMES
def test_an_app_that_speaks_https(workspace, tls_app, open_app, url_of, scheme):
    url = url_of(workspace, tls_app.port)
    page = open_app(url, workspace.owner, colorScheme=scheme)
    picture(page, f"other-protocol-{scheme}")
    page.click("text=Open it as HTTPS")
    page.wait_for_selector("pre")
    assert page.url() == url.replace("--", "s--", 1)


@SCHEMES
def test_the_log_in_page_is_used_by_keyboard_alone(workspace, visitor, scheme):
    page = visitor(colorScheme=scheme).new_page()
    page.goto(workspace.deployment.url + "/login")
    page.wait_for_selector("#user:focus")
    picture(page, f"log-in-{scheme}")
    page.keyboard_type(workspace.owner.name)
    page.keyboard_press("Tab")
    page.keyboard_type("wrong one")
    page.keyboard_press("Enter")
    page.wait_for_selector("[role=alert]")
    assert contrast(page, "[role=alert]") >= 4.5 and contrast(page, "label") >= 7
    picture(page, f"log-in-wrong-{scheme}")
    page.wait_for_selector("#password:focus")
    page.keyboard_type(workspace.owner.password)
    page.keyboard_press("Enter")
    page.wait_for_selector("text=Log out")
    picture(page, f"home-{scheme}")


def test_the_pages_fit_a_phone(workspace, visitor, open_app, url_of):
    phone = {"viewport": {"width": 320, "height": 640}, "isMobile": True}
    page = visitor(**phone).new_page()
    page.goto(workspace.deployment.url + "/login")
    shown = [page]
    picture(page, "log-in-phone")
    shown.append(open_app(url_of(workspace, net.free_port()), workspace.owner, **phone))
    shown.append(open_app(workspace.deployment.url + "/login", workspace.owner, **phone))
    picture(shown[-1], "home-phone")
    for page in shown:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
