"""Sharing ports from the command line: who gets in, at once and not any longer."""
import json
import time

import pytest
import websocket

from harness import adit, apps
from harness.wait import SCALE, until


@pytest.fixture(scope="module")
def site(session_supervisor, tmp_path_factory):
    """A deployment with a wildcard, anna's workspace with an app in it, and other people."""
    root = tmp_path_factory.mktemp("share")
    made = adit.Deployment(session_supervisor, root / "deployment",
                           ("--wildcard-access-url", "*." + apps.DOMAIN, "--workers", "2"))
    made.start().set_up()
    made.admin.run("templates", "push", "default", "-", stdin="max_port_share_level: public\n")
    made.people = {name: made.user(name) for name in ("anna", "bob", "eve")}
    made.people["admin"] = made.admin
    made.tokens = {name: apps.token_of(person, made.url) for name, person in made.people.items()}
    made.tokens["nobody"] = None
    made.anna = made.people["anna"]
    made.ws = made.workspace(made.anna, "dev")
    made.app = apps.App()
    made.shared = str(made.app.port)
    made.host = apps.host_of(made, made.shared, made.ws, "anna")
    yield made
    made.app.close()


@pytest.fixture(autouse=True)
def unshared(site):
    yield
    site.anna.run("unshare", "dev", site.shared, code=None)


def status(site, who, host=None, **fields):
    connection = apps.Connection(site, host or site.host, site.tokens[who], **fields)
    try:
        return connection.ask("GET", "/").status
    finally:
        connection.close()


LEVELS = {
    #                            anna bob  eve  admin nobody
    ("--level", "owner"):         (200, 404, 404, 200, 303),
    ("--with", "bob"):            (200, 200, 404, 200, 303),
    ("--level", "authenticated"): (200, 200, 200, 200, 303),
    ("--level", "public"):        (200, 200, 200, 200, 200),
}


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level[1])
def test_each_level_lets_in_whom_it_says(site, level):
    site.anna.run("share", "dev", site.shared, *level)
    got = tuple(status(site, who) for who in ("anna", "bob", "eve", "admin", "nobody"))
    assert got == LEVELS[level]


def with_ticket(site, who):
    """A request's fields with the ticket that the person has got."""
    connection = apps.Connection(site, site.host, site.tokens[who])
    answer = connection.ask("GET", "/")
    connection.close()
    assert answer.status == 200, answer.text
    cookie = answer.getheader("Set-Cookie").split(";")[0]
    assert cookie.startswith("adit_ticket")
    return {"Cookie": cookie}


def open_websocket(site, who):
    made = websocket.create_connection(
        f"ws://127.0.0.1:{site.port}/ws", host=site.host,
        header={"Adit-Session-Token": site.tokens[who]}, timeout=10)
    made.send("hello")
    assert made.recv() == "hello"
    return made


def ends_within(connection, limit):
    since = time.monotonic()
    connection.settimeout(limit)
    try:
        while connection.recv() not in ("", b""):
            pass
    except websocket.WebSocketTimeoutException:
        return False
    except (websocket.WebSocketException, OSError):
        pass
    return time.monotonic() - since < limit


CUTS = {
    "unshared": lambda site: site.anna.run("unshare", "dev", site.shared),
    "lowered": lambda site: site.anna.run("share", "dev", site.shared, "--level", "owner"),
    "removed": lambda site: site.anna.run("share", "dev", site.shared, "--with", "eve"),
    "capped": lambda site: site.admin.run("templates", "push", "default", "-",
                                          stdin="max_port_share_level: owner\n"),
}


@pytest.mark.parametrize("cut", CUTS)
def test_what_is_taken_away_ends_at_once(site, cut):
    site.anna.run("share", "dev", site.shared, "--with", "bob,eve")
    fields = with_ticket(site, "bob")
    running = open_websocket(site, "bob")
    CUTS[cut](site)
    assert status(site, "bob", **fields) == 404
    assert ends_within(running, 2 * SCALE)
    running.close()
    assert status(site, "anna") == 200
    site.admin.run("templates", "push", "default", "-", stdin="max_port_share_level: public\n")


def test_giving_more_leaves_what_runs_alone(site):
    site.anna.run("share", "dev", site.shared, "--with", "bob")
    running = open_websocket(site, "bob")
    site.anna.run("share", "dev", site.shared, "--with", "bob,eve")
    site.anna.run("share", "dev", site.shared, "--level", "authenticated")
    running.send("still here")
    assert running.recv() == "still here"
    running.close()


def test_a_share_ends_by_itself(site):
    told = site.anna.run("share", "dev", site.shared, "--level", "authenticated", "--expires", "2s")
    assert "everyone who can log in, for another" in told.out
    fields = with_ticket(site, "bob")
    until(lambda: status(site, "bob", **fields) == 404, "the share's end", 10)


def test_the_templates_maximum_is_told_with_its_name(site):
    site.admin.run("templates", "push", "default", "-", stdin="max_port_share_level: users\n")
    try:
        refused = site.anna.run("share", "dev", site.shared, "--level", "public", code=3)
        assert 'template "default"' in refused.err and '"users"' in refused.err
        assert len(refused.err.splitlines()) == 1
    finally:
        site.admin.run("templates", "push", "default", "-", stdin="max_port_share_level: public\n")


def test_only_the_owner_shares(site):
    assert "there is no workspace 'anna/dev'" in site.people["bob"].run(
        "share", "anna/dev", site.shared, "--with", "bob", code=1).err
    site.admin.run("share", "anna/dev", site.shared, "--with", "bob", code=3)
    assert "no user" in site.anna.run("share", "dev", site.shared, "--with", "zoe", code=1).err


def test_ports_are_listed_with_process_share_and_url(site):
    site.anna.run("share", "dev", site.shared, "--with", "bob", "--expires", "2h")
    site.anna.run("share", "dev", "9", "--level", "owner")

    def listed():
        found = site.anna.run("ports", "dev", "--output", "json").json()
        return {str(each["port"]): each for each in found}
    until(lambda: listed().get(site.shared, {}).get("listening"), "the port in the list")
    mine = listed()[site.shared]
    assert mine["share"]["users"] == ["bob"] and mine["share"]["expires_at"]
    assert mine["url"] == f"http://{site.host}/"
    assert listed()["9"]["listening"] is False
    table = site.anna.run("ports", "dev").out
    assert "bob, for another 2 h" in table and "(not listening)" in table and mine["url"] in table
    site.anna.run("unshare", "dev", "9")


def test_open_prints_the_url_that_leads_there(site, tmp_path):
    url = site.anna.run("open", "dev", site.shared, "--print").out.strip()
    assert url == f"http://{site.host}/"
    assert site.anna.run("open", "dev", site.shared, "--print", "--output", "json").json() == {
        "url": url, "opened": False}
    assert site.anna.run("open", "dev", site.shared + "s", "-p").out.startswith(
        f"http://{site.shared}s--dev--anna.")
    code = site.anna.run("open", "dev", site.shared, "--qr").out.splitlines()
    assert code[-1] == url and len({len(line) for line in code[:-1]}) == 1
    assert set("".join(code[:-1])) <= set(" ▀▄█")


def test_open_starts_the_browser_of_a_desktop(site, tmp_path):
    (tmp_path / "xdg-open").write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/new\n'
                                       f"mv {tmp_path}/new {tmp_path}/opened\n")
    (tmp_path / "xdg-open").chmod(0o755)
    desktop = {"DISPLAY": ":0", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    said = site.anna.run("open", "dev", site.shared, env=desktop).out
    until((tmp_path / "opened").exists, "the browser's start")
    assert (tmp_path / "opened").read_text() == said == f"http://{site.host}/\n"


def test_names_that_are_too_long_for_a_host_get_the_short_form(site):
    name = "a" * 31 + "b"
    who = site.user("o" * 32)
    ws = site.workspace(who, name)
    site.tokens[who.name] = apps.token_of(who, site.url)
    url = who.run("open", ws.name, site.shared, "--print").out.strip()
    label = url.removeprefix("http://").split(".")[0]
    assert label.startswith(f"{site.shared}--") and len(label) == len(site.shared) + 2 + 13
    shared = who.run("share", ws.name, site.shared, "--with", "bob", "--output", "json").json()
    assert shared["url"] == url
    host = url.removeprefix("http://").rstrip("/")
    assert status(site, who.name, host) == 200
    assert status(site, "bob", host) == 200
    assert status(site, "eve", host) == 404
    ws.agent.stop()


def test_shares_are_on_record(site):
    since = site.server.position()
    site.anna.run("share", "dev", site.shared, "--level", "authenticated")
    site.anna.run("unshare", "dev", site.shared)
    for action in ("share_set", "share_delete"):
        site.server.wait_line(f"action={action} actor=anna ", since=since)
    assert json.dumps(site.tokens["anna"]) not in site.server.text()
