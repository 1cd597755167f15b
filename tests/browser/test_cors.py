"""What a page of one app may do to another, where only a browser stands between them."""
import pytest

FETCH = """fetch('{url}', {{credentials: 'include', {options}}})
    .then(answer => answer.json().then(got => `${{answer.status}} ${{got.path}}`))
    .catch(error => error.name)"""
SOCKET = """new Promise(done => {{
    const socket = new WebSocket('{url}'.replace('http', 'ws'));
    socket.onopen = () => done('open');
    socket.onerror = () => done('refused');
}})"""
BLOCKED = "TypeError"


@pytest.fixture
def scene(named_deployment, app, visitor, named_url_of, log_in, share):
    """Ada, with two apps of her own, has a shared app of Bob's open."""
    class Scene:
        ada, bob = named_deployment.user("ada"), named_deployment.user("bob")
        hers = named_deployment.workspace(owner=ada)
        theirs = named_deployment.workspace(owner=bob)
        first, second, third = [app().port for _ in range(3)]
        url = staticmethod(named_url_of)

    made = Scene()
    share(made.theirs, made.third, "authenticated")
    person = visitor()
    made.page = person.new_page()
    made.page.goto(named_url_of(made.hers, made.first))
    log_in(made.page, made.ada)
    made.page.wait_for_selector("pre")
    made.other = person.new_page()
    made.other.goto(named_url_of(made.theirs, made.third))
    made.other.wait_for_selector("pre")
    return made


def test_an_app_reads_another_app_of_the_same_owner(scene):
    url = scene.url(scene.hers, scene.second, "/data?x=1")
    assert scene.page.evaluate(FETCH.format(url=url, options="")) == "200 /data?x=1"
    # Not a simple request: the browser asks before.
    options = "method: 'OPTIONS', headers: {'X-Own': '1', 'Content-Type': 'application/json'}"
    assert scene.page.evaluate(FETCH.format(url=url, options=options)) == "200 /data?x=1"
    assert scene.page.evaluate(SOCKET.format(url=url)) == "open"


def test_an_app_of_somebody_else_reads_nothing(scene):
    url = scene.url(scene.hers, scene.second, "/data?x=1")
    assert scene.other.evaluate(FETCH.format(url=url, options="")) == BLOCKED
    options = "method: 'OPTIONS', headers: {'X-Own': '1'}"
    assert scene.other.evaluate(FETCH.format(url=url, options=options)) == BLOCKED
    assert scene.other.evaluate(SOCKET.format(url=url)) == "refused"


def test_an_app_reads_nothing_from_the_server_itself(scene):
    for page in (scene.page, scene.other):
        url = f"http://adit.test:{scene.hers.deployment.port}/api/v1/me"
        assert page.evaluate(FETCH.format(url=url, options="")) == BLOCKED
        frame = page.evaluate(f"""new Promise(done => {{
            const frame = document.createElement('iframe');
            frame.src = '{url.replace("/api/v1/me", "/")}';
            frame.onload = () => {{
                try {{ done(frame.contentDocument ? 'readable' : 'closed') }}
                catch {{ done('closed') }}
            }};
            document.body.append(frame);
        }})""")
        assert frame == "closed"
