"""The way of a person from an app's URL over the log-in to the app, and out again."""
import json
from urllib.parse import urlsplit


def test_log_in_leads_to_the_app_with_its_query(workspace, visitor, app, url_of, log_in):
    service = app()
    url = url_of(workspace, service.port, "/deep/page?q=a%20b&next=//evil.example&x=%26#part")
    page = visitor().new_page()
    page.goto(url)
    at = urlsplit(page.url())
    assert (at.hostname, at.path) == ("127.0.0.1", "/login")
    assert urlsplit(url).hostname in page.text_content("main")
    log_in(page, workspace.owner)
    page.wait_for_selector("pre")
    assert page.url().split("#")[0] == url.split("#")[0]
    got = json.loads(page.text_content("pre"))
    assert got["path"] == "/deep/page?q=a%20b&next=//evil.example&x=%26"
    assert "cookie" not in [name.lower() for name, _ in got["headers"]]


def test_a_second_app_opens_without_another_log_in(workspace, visitor, app, url_of, log_in):
    first, second = app(), app()
    person = visitor()
    page = person.new_page()
    page.goto(url_of(workspace, first.port))
    log_in(page, workspace.owner)
    page.wait_for_selector("pre")
    other = person.new_page()
    other.goto(url_of(workspace, second.port, "/?a=1"))
    assert json.loads(other.text_content("pre"))["path"] == "/?a=1"
    assert other.url() == url_of(workspace, second.port, "/?a=1")


def test_a_wrong_password_says_so_and_the_second_try_leads_on(
        workspace, visitor, app, url_of, log_in):
    page = visitor().new_page()
    url = url_of(workspace, app().port, "/?kept=yes")
    page.goto(url)
    page.fill("#user", workspace.owner.name)
    page.fill("#password", "not the one")
    page.click("button[type=submit]")
    page.wait_for_selector("[role=alert]")
    assert "wrong" in page.text_content("[role=alert]")
    assert page.input_value("#user") == workspace.owner.name
    page.wait_for_selector("#password:focus")
    page.fill("#password", workspace.owner.password)
    page.press("#password", "Enter")
    page.wait_for_selector("pre")
    assert page.url() == url


def test_logging_out_ends_the_open_app(deployment, visitor, app, url_of, log_in):
    owner = deployment.user()
    workspace = deployment.workspace(owner=owner)
    service = app()
    person = visitor()
    page = person.new_page()
    page.goto(url_of(workspace, service.port))
    log_in(page, owner)
    page.wait_for_selector("pre")
    assert page.evaluate("fetch('/api/a').then(r => r.status)") == 200
    page.evaluate("""new Promise((done, failed) => {
        window.socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
        window.socketGone = new Promise(gone => { socket.onclose = () => gone(performance.now()) });
        socket.onopen = done; socket.onerror = () => failed(new Error('no socket'));
    })""")
    home = person.new_page()
    home.goto(deployment.url)
    home.wait_for_selector(f"nav >> text={owner.name}")
    home.click("text=Log out")
    home.wait_for_selector("#password")
    assert page.evaluate("fetch('/api/b').then(r => r.status)") == 401
    assert page.evaluate("""Promise.race([window.socketGone.then(() => 'closed'),
        new Promise(late => setTimeout(late, 2000, 'open'))])""") == "closed"
    page.reload()
    assert urlsplit(page.url()).path == "/login"


def test_a_websocket_app_works(workspace, visitor, app, url_of, log_in):
    page = visitor().new_page()
    page.goto(url_of(workspace, app().port))
    log_in(page, workspace.owner)
    page.wait_for_selector("pre")
    assert page.evaluate("""new Promise((done, failed) => {
        const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
        socket.onopen = () => socket.send('x'.repeat(1000));
        socket.onmessage = event => { done(event.data); socket.close() };
        socket.onerror = () => failed(new Error('no socket'));
    })""") == "x" * 1000


def test_an_open_login_page_of_somebody_logged_in_leads_on(workspace, visitor, log_in):
    page = visitor().new_page()
    page.goto(workspace.deployment.url + "/login")
    log_in(page, workspace.owner)
    page.wait_for_selector("text=Log out")
    page.goto(workspace.deployment.url + "/login?next=/%3Fa")
    assert urlsplit(page.url()).path == "/"
    page.goto(workspace.deployment.url + "/login?next=//evil.example/")
    assert urlsplit(page.url()).hostname == "127.0.0.1"


def test_the_pages_log_no_errors_and_load_nothing_from_elsewhere(workspace, browser, visitor):
    page = visitor().new_page()
    for path in ("/", "/login"):
        since = browser.position()
        page.goto(workspace.deployment.url + path)
        browser.wait_line(r"200 GET .*/icon\.svg", since)
        assert not browser.errors(page, since)
        names = json.loads(page.evaluate(
            "JSON.stringify(performance.getEntriesByType('resource').map(e => e.name))"))
        assert names and all(name.startswith(workspace.deployment.url) for name in names)
        assert page.evaluate("getComputedStyle(document.body).margin") == "0px"
