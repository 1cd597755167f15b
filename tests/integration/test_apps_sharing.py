"""Who gets in: ports and apps, by host and by path, at every level and for everybody."""
import itertools
import re
import time

import pytest
import websocket

from harness import adit, apps
from harness.wait import SCALE, until

LEVELS = ("owner", "users", "authenticated", "public")
PEOPLE = ("owner", "named", "other", "administrator", "nobody")
SWITCHES = {
    (): (False, False),
    ("--dangerous-allow-path-app-sharing",): (True, False),
    ("--dangerous-allow-path-app-site-owner-access",): (False, True),
    ("--dangerous-allow-path-app-sharing",
     "--dangerous-allow-path-app-site-owner-access"): (True, True),
}


def template(port, level, most="public", more=""):
    return (f"max_port_share_level: {most}\n{more}apps:\n  - slug: web\n"
            f"    url: http://localhost:{port}\n    subdomain: true\n    share: {level}\n")


class Place:
    """A deployment with an owner's workspace, an app in it, and people around."""

    def __init__(self, supervisor, root, options):
        self.site = adit.Deployment(supervisor, root,
                                    ("--wildcard-access-url", "*." + apps.DOMAIN, *options))
        self.site.start().set_up()
        people = {"owner": self.site.user("ada"), "named": self.site.user("bob"),
                  "other": self.site.user("cy"), "administrator": self.site.admin}
        self.people = people
        self.tokens = {who: apps.token_of(person, self.site.url)
                       for who, person in people.items()}
        self.tokens["nobody"] = None
        self.ws = self.site.workspace(owner=people["owner"], name="dev")
        self.app = apps.App()
        self.owner = self.site.api(self.tokens["owner"])
        self.admin = self.site.api(self.tokens["administrator"])

    def put_template(self, level, most="public", more=""):
        answer = self.admin.request("PUT", "/templates/default",
                                    json={"yaml": template(self.app.port, level, most, more)})
        assert answer.status_code in (200, 201), answer.text

    def shares(self, target):
        return f"/workspaces/ada/dev/agents/main/shares/{target or self.app.port}"

    def share(self, level, status=200, target=None, **more):
        body = {"level": level, **({"users": ["bob"]} if level == "users" else {}), **more}
        return self.owner.request("PUT", self.shares(target), status, json=body)

    def unshare(self, target=None):
        self.owner.delete(self.shares(target), 204)

    def host(self, target):
        return apps.host_of(self.site, target, self.ws, "ada")

    def ask(self, who, host, path="/", **fields):
        connection = apps.Connection(self.site, host, self.tokens.get(who), **fields)
        try:
            return connection.ask("GET", path)
        finally:
            connection.close()

    def by_path(self, who):
        return self.ask(who, f"127.0.0.1:{self.site.port}", "/@ada/dev/apps/web/").status

    def by_host(self, who, target):
        return self.ask(who, self.host(target)).status


@pytest.fixture(scope="module", params=list(SWITCHES), ids=lambda s: ",".join(s) or "defaults")
def switched(request, session_supervisor, tmp_path_factory):
    place = Place(session_supervisor, tmp_path_factory.mktemp("place"), request.param)
    place.sharing, place.site_owner = SWITCHES[request.param]
    yield place
    place.app.close()
    place.ws.agent.stop()
    place.site.server.stop()


@pytest.fixture(scope="module")
def place(session_supervisor, tmp_path_factory):
    made = Place(session_supervisor, tmp_path_factory.mktemp("place"), ())
    made.put_template("owner")
    yield made
    made.app.close()


def expected(level, who, named=True, administrators=True):
    if who == "owner" or (who == "administrator" and administrators):
        return 200
    if who == "nobody":
        return 200 if level == "public" else 303
    if level in ("authenticated", "public") or (level == "users" and who == "named" and named):
        return 200
    return 404


def test_the_matrix_of_apps(switched):
    for level in LEVELS:
        switched.put_template(level)
        for who in PEOPLE:
            # A template names nobody: `users` is the owner alone.
            assert switched.by_host(who, "web") == expected(level, who, named=False), (level, who)
            cut = level if switched.sharing else "owner"
            wanted = expected(cut, who, named=False, administrators=switched.site_owner)
            assert switched.by_path(who) == wanted, ("path", level, who)


def test_the_matrix_of_apps_with_shares(switched):
    """A share counts over the template, whether it is wider or narrower, and names people."""
    for of_app, level in itertools.product(("owner", "public"), LEVELS):
        switched.put_template(of_app)
        switched.share(level, target="web")
        for who in PEOPLE:
            assert switched.by_host(who, "web") == expected(level, who), (of_app, level, who)
            cut = level if switched.sharing else "owner"
            wanted = expected(cut, who, administrators=switched.site_owner)
            assert switched.by_path(who) == wanted, ("path", of_app, level, who)
    switched.unshare("web")


def test_an_apps_share_goes_as_far_as_its_template_lets_it(place):
    for most, of_app, level in itertools.product(LEVELS, LEVELS, LEVELS):
        limit = max(most, of_app, key=LEVELS.index)
        place.put_template(of_app, most)
        if LEVELS.index(level) <= LEVELS.index(limit):
            place.share(level, target="web")
        else:
            told = place.share(level, status=403, target="web").json()["fields"][0]["message"]
            assert '"default"' in told and f'"{limit}"' in told
    # A share from before the template went down counts up to what is left.
    place.put_template("owner", "public")
    place.share("public", target="web")
    place.put_template("owner", "authenticated")
    for who in PEOPLE:
        assert place.by_host(who, "web") == expected("authenticated", who), who
    place.unshare("web")


def test_the_matrix_of_ports(place):
    for most, level in itertools.product(LEVELS, LEVELS):
        place.put_template("owner", "public")
        place.share(level)
        place.put_template("owner", most)
        cut = min(most, level, key=LEVELS.index)
        for who in PEOPLE:
            named = level == "users"
            assert place.by_host(who, place.app.port) == expected(cut, who, named), (
                most, level, who)
    place.put_template("owner", "users")
    place.share("public", status=403)
    place.put_template("owner", "public")


def test_path_apps_can_be_turned_off(make_deployment):
    made = make_deployment("--disable-path-apps")
    connection = apps.Connection(made, f"127.0.0.1:{made.port}",
                                 apps.token_of(made.admin, made.url))
    for path in ("/@admin/x/apps/web/", "/@admin/x/apps/8080/", "/@nobody/x/apps/y"):
        assert connection.ask("GET", path).status == 403
    connection.close()


def test_narrowing_an_app_cuts_whom_the_template_let_in(place):
    place.put_template("authenticated", "owner")
    host = place.host("web")
    answer = place.ask("other", host)
    assert answer.status == 200
    ticket = re.search(r"adit_ticket=[^;]+", answer.getheader("Set-Cookie")).group(0)
    assert place.ask("nobody", host, Cookie=ticket).status == 200
    place.share("users", target="web")
    assert place.ask("nobody", host, Cookie=ticket).status == 303
    assert place.by_host("other", "web") == 404
    assert place.by_host("named", "web") == 200
    place.unshare("web")
    assert place.by_host("other", "web") == 200


@pytest.mark.parametrize("what", ["port", "app"])
@pytest.mark.parametrize("change", ["lower", "unshare", "remove", "log out", "template", "suspend"])
def test_what_is_withdrawn_counts_at_once(place, supervisor, tmp_path, change, what):
    target = "web" if what == "app" else None
    place.put_template("owner", "public")
    place.share("users", target=target)
    person = adit.Cli(supervisor, tmp_path / "bob", "bob")
    person.login(place.site.url, place.people["named"].password)
    token = apps.token_of(person, place.site.url)
    host = place.host(target or place.app.port)
    connection = apps.Connection(place.site, host, token)
    ticket = re.search(r"adit_ticket=[^;]+", connection.ask().getheader("Set-Cookie")).group(0)
    connection.close()
    channel = websocket.create_connection(
        f"ws://127.0.0.1:{place.site.port}/ws", host=host, timeout=10 * SCALE, cookie=ticket,
        suppress_origin=True)
    channel.send("a")
    assert channel.recv() == "a"
    assert place.ask("nobody", host, Cookie=ticket).status == 200

    bob = place.people["named"]
    {"lower": lambda: place.share("owner", target=target),
     "unshare": lambda: place.unshare(target),
     "remove": lambda: place.share("users", users=["cy"], target=target),
     "log out": lambda: person.run("logout"),
     "template": lambda: place.put_template("owner", "owner"),
     "suspend": lambda: place.admin.request("PATCH", f"/users/{bob.name}", 200,
                                            json={"suspended": True})}[change]()
    assert place.ask("nobody", host, Cookie=ticket).status == 303
    since = time.monotonic()
    with pytest.raises((websocket.WebSocketException, OSError)):
        channel.recv()
    assert time.monotonic() - since < 2 * SCALE
    if change != "unshare":
        place.unshare(target)
    if change == "suspend":
        place.admin.request("PATCH", f"/users/{bob.name}", 200, json={"suspended": False})


@pytest.mark.parametrize("target", [None, "web"], ids=["port", "app"])
def test_a_share_ends_by_itself(place, target):
    place.put_template("owner", "public")
    place.share("public", expires_in=2, target=target)
    host = place.host(target or place.app.port)
    answer = place.ask("nobody", host)
    assert answer.status == 200
    ticket = re.search(r"adit_ticket=[^;]+", answer.getheader("Set-Cookie")).group(0)
    channel = websocket.create_connection(
        f"ws://127.0.0.1:{place.site.port}/ws", host=host, timeout=10 * SCALE, cookie=ticket,
        suppress_origin=True)
    with pytest.raises((websocket.WebSocketException, OSError)):
        channel.recv()
    # The stream ends with the whole second, the share with its fraction.
    until(lambda: place.ask("nobody", host, Cookie=ticket).status == 303, "the share's end", 2)


def test_origins_of_the_same_owner_only(place):
    place.put_template("owner", "public")
    place.share("owner")
    host = place.host(place.app.port)
    own = f"http://{place.host(9)}"
    theirs = f"http://{apps.host_of(place.site, 9, place.ws, 'bob')}"
    asks = {"Access_Control_Request_Method": "PUT", "Access_Control_Request_Headers": "x-a"}

    def preflight(origin):
        connection = apps.Connection(place.site, host, None)
        try:
            return connection.ask("OPTIONS", "/", Origin=origin, **asks)
        finally:
            connection.close()
    good = preflight(own)
    assert good.status == 204
    assert good.getheader("Access-Control-Allow-Origin") == own
    assert good.getheader("Access-Control-Allow-Credentials") == "true"
    assert good.getheader("Access-Control-Allow-Methods") == "PUT"
    assert good.getheader("Access-Control-Allow-Headers") == "x-a"
    for origin in (theirs, "http://evil.test", "null"):
        bad = preflight(origin)
        assert bad.status == 204 and bad.getheader("Access-Control-Allow-Origin") is None
    assert place.ask("owner", host, Origin=own).getheader("Access-Control-Allow-Origin") == own
    assert place.ask("owner", host, Origin=theirs).getheader("Access-Control-Allow-Origin") is None
    place.put_template("owner", "public", "cors: passthru\n")
    assert preflight(own).status == 401
    place.put_template("owner", "public")


def test_people_are_named_to_apps_that_ask(place):
    place.put_template("owner", "public", "identity_headers: true\n")
    place.share("authenticated")
    answer = place.ask("other", place.host(place.app.port), X_Adit_User="root")
    assert '["X-Adit-User", "cy"]' in answer.text and "root" not in answer.text
    place.put_template("owner", "public")
    answer = place.ask("other", place.host(place.app.port), X_Adit_User="root")
    assert "X-Adit" not in answer.text


def test_the_short_form_reaches_the_same(place):
    agent = place.owner.get("/workspaces/ada/dev").json()["agents"][0]
    host = f"{place.app.port}--{agent['alias']}.{apps.DOMAIN}:{place.site.port}"
    assert place.ask("owner", host).status == 200
