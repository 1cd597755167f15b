"""Live updates: what happens in a deployment is an event where people look at it."""
import time

import pytest
import requests

from harness import adit, apps, net
from harness.events import Events, port_in
from harness.wait import SCALE, until


@pytest.fixture(scope="module")
def site(session_supervisor, tmp_path_factory):
    """A server of two workers, anna with a workspace and its agent, and bob."""
    made = adit.Deployment(session_supervisor, tmp_path_factory.mktemp("events"),
                           ("--workers", "2")).start().set_up()
    made.anna, made.bob = made.user("anna"), made.user("bob")
    made.token = apps.token_of(made.anna, made.url)
    made.ws = made.workspace(made.anna, "dev")
    return made


def watch(site, workspace="anna/dev", token=None):
    return Events(site, token or site.token, workspace)


def test_every_topic_comes_at_once(site):
    with watch(site) as events:
        for name in ("workspaces", "workspace", "ports", "apps", "shares", "forwards"):
            events.wait(name)
        assert events.latest("ports")["agent"] == "main"
        assert events.latest("ports")["status"] == "connected"


def test_two_browsers_see_each_others_shares_within_a_second(site):
    streams = [watch(site) for _ in range(6)]  # on both workers
    try:
        for each in streams:
            each.wait("shares", lambda data: data["shares"] == [])
        site.anna.run("share", "dev", "8080", "--level", "authenticated")
        shared = time.monotonic()
        for each in streams:
            each.wait("shares", lambda data: [s["port"] for s in data["shares"]] == [8080])
            told = each.wait("ports", lambda data: [p["share"] for p in data["ports"]
                                                    if p["port"] == 8080 and p["share"]])
            assert told.at - shared < 1 * SCALE
        site.anna.run("unshare", "dev", "8080")
        for each in streams:
            each.wait("shares", lambda data: data["shares"] == [])
    finally:
        for each in streams:
            each.close()


def test_workspaces_come_and_go_in_the_list(site):
    with watch(site, None) as events:
        events.wait("workspaces")
        site.anna.run("create", "second")
        events.wait("workspaces",
                    lambda data: "second" in [w["name"] for w in data["workspaces"]])
        with watch(site, "anna/second") as inside:
            inside.wait("workspace", lambda data: data["name"] == "second")
            site.anna.run("delete", "second", "--yes")
            inside.wait("workspace", lambda data: data.get("deleted"))
        events.wait("workspaces",
                    lambda data: "second" not in [w["name"] for w in data["workspaces"]])


def test_an_agent_that_goes_and_comes_is_told(site):
    ws = site.workspace(site.anna, "moving")
    with watch(site, "anna/moving") as events:
        events.wait("workspace", lambda data: data["agents"][0]["status"] == "connected")
        ws.agent.stop()
        events.wait("workspace", lambda data: data["agents"][0]["status"] == "away")
        away = events.wait("ports", lambda data: data["status"] == "away")
        assert away.data["last_seen_at"]
        ws.start_agent()
        events.wait("workspace", lambda data: data["agents"][0]["status"] == "connected")
        events.wait("ports", lambda data: data["status"] == "connected")


def test_a_new_template_is_told_with_its_apps(site):
    site.admin.run("templates", "push", "changing", "-", stdin="apps: []\n")
    site.workspace(site.anna, "templated", template="changing")
    with watch(site, "anna/templated") as events:
        events.wait("apps", lambda data: data["apps"] == [])
        site.admin.run("templates", "push", "changing", "-",
                       stdin="apps:\n  - slug: lab\n    url: http://localhost:8888\n")
        told = events.wait("apps", lambda data: [a["slug"] for a in data["apps"]] == ["lab"])
        assert told.data["apps"][0]["health"] == "disabled"


@pytest.mark.parametrize("what", ["log-out", "suspension"])
def test_a_right_that_is_withdrawn_ends_the_stream_within_two_seconds(what, site):
    person = site.user()
    token = apps.token_of(person, site.url)
    with watch(site, None, token) as events:
        events.wait("workspaces")
        if what == "log-out":
            site.api(token).post("/logout", status=204)
        else:
            site.admin.run("users", "suspend", person.name)
        events.wait_end(2)


def test_strangers_have_no_stream(site):
    token = apps.token_of(site.bob, site.url)
    for workspace in ("anna/dev", "anna/none"):
        answer = requests.get(f"{site.url}/api/v1/events", params={"workspace": workspace},
                              headers={"Authorization": f"Bearer {token}"}, timeout=10 * SCALE)
        assert answer.status_code == 404


def test_a_person_has_so_many_streams_and_they_are_counted(site):
    person = site.user()
    token = apps.token_of(person, site.url)
    streams = [watch(site, None, token) for _ in range(32)]
    try:
        refused = site.api(token).get("/events", 429)
        assert "too many" in refused.json()["message"]
        metrics = requests.get(f"{site.url}/metrics", timeout=10 * SCALE).text
        assert 'adit_refused_total{quota="event_streams"} 1' in metrics
    finally:
        for each in streams:
            each.close()

    # As soon as one has gone there is a place again.
    until(lambda: site.api(token).request("HEAD", "/events").status_code == 200, "a place")


def test_a_server_that_stops_ends_the_stream_in_order(make_deployment):
    made = make_deployment()
    token = apps.token_of(made.admin, made.url)
    events = Events(made, token)
    events.wait("workspaces")
    made.restart()
    events.wait_end(2)
    with Events(made, token) as again:
        again.wait("workspaces")


def test_forwards_are_told_with_their_bytes_while_somebody_looks(site, tcp_echo, supervisor):
    mine = adit.Cli(supervisor, site.anna.home, "anna")
    forward = mine.forward("dev", "--tcp", f"{net.free_port()}:{tcp_echo.port}")
    with watch(site) as events:
        events.wait("forwards")
        net.exchange(("127.0.0.1", forward.ports[0]), b"x" * 1000)
        told = events.wait("forwards", lambda data: [f for f in data["forwards"]
                                                     if f["bytes_in"] == 1000 == f["bytes_out"]])
        row = told.data["forwards"][0]
        assert row["user"] == "anna" and row["kind"] == "tcp" and row["direction"] == "local"
        assert row["target"].endswith(f":{tcp_echo.port}")
        assert row["path"] in ("relay", "direct")
        asked = site.api(site.token).get("/workspaces/anna/dev/agents/main/forwards").json()
        assert [f["id"] for f in asked["forwards"]] == [f["id"] for f in told.data["forwards"]]
        forward.stop()
        events.wait("forwards", lambda data: data["forwards"] == [])


def test_forwards_over_ssh_are_told_and_their_ports_are_not_listed(site, supervisor):
    mine = adit.Cli(supervisor, site.anna.home, "anna")
    port = net.free_port()

    def rows(data):
        return [each for each in data["forwards"]
                if each["path"] == "ssh" and (each["listen"] or "").endswith(f":{port}")]
    with watch(site) as events:
        events.wait("forwards")
        running = mine.start("ssh", "dev", "-N", "-R", f"{port}:127.0.0.1:9",
                             good_codes=(0, 255, -15, 143))
        told = events.wait("forwards", rows, timeout=20)
        row = rows(told.data)[0]
        assert row["user"] == "anna" and row["direction"] == "remote" and row["kind"] == "tcp"
        assert net.listens(port)
        listed = site.anna.run("ports", "dev", "--output", "json").json()
        assert not port_in({"ports": listed}, port)
        running.stop()
        events.wait("forwards", lambda data: not rows(data))
