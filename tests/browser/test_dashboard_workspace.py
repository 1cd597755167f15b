"""A workspace in the dashboard: apps, ports that come and go, sharing, tokens, the end."""
import http.server
import re
import socket
import threading
import time

import pytest

from harness import adit, net
from harness.wait import until

from dashboard import SIZES

BOTH_SIZES = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
BOTH_SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])

# Apps of the template; the port of the one that is checked is free until a test takes it.
CHECKED = net.free_port()
TEMPLATE = f"""\
description: For the dashboard's tests
max_port_share_level: authenticated
apps:
  - slug: checked
    display_name: Checked
    url: http://localhost:{CHECKED}/
    order: 9
    healthcheck: {{url: "http://localhost:{CHECKED}/", interval: 1s, threshold: 1}}
  - slug: lab
    display_name: The Lab
    icon: notebook
    url: http://localhost:9/
    share: users
  - slug: site
    display_name: <b>Site</b>
    icon: https://elsewhere.example/icon.png
    url: http://localhost:9/
    share: public
"""


@pytest.fixture(scope="module")
def template(deployment):
    path = deployment.root / "dashboard.yaml"
    path.write_text(TEMPLATE)
    deployment.admin.run("templates", "push", "dash", path)
    return "dash"


@pytest.fixture
def place(deployment, template):
    """A workspace of a new person's, with that template and an agent."""
    return deployment.workspace(deployment.user(), "dev", template=template, probes=True)


def row(port):
    return f".port-row:has(.port-number:text-is('{port}'))"


def choose(here, level):
    """Chooses a level in the dialog, once the page has been told that the template allows it."""
    here.wait(f"dialog input[value={level}]:enabled")
    here.page.click(f"dialog label:has([value={level}]) >> strong")
    assert here.page.is_checked(f"dialog input[value={level}]")


def path_of(workspace):
    return f"/workspaces/{workspace.owner.name}/{workspace.name}"


@BOTH_SIZES
@BOTH_SCHEMES
def test_the_page_is_accessible_and_fits(place, board, app, size, scheme):
    port = app().port
    here = board(place.owner, colorScheme=scheme, **size).log_in(path_of(place))
    here.wait(row(port))
    assert here.accessible() == []
    assert here.fits()
    here.page.click(f"[aria-label='Share port {port}']")
    choose(here, "users")
    assert here.accessible() == []
    here.page.keyboard_press("Escape")
    here.page.click(f"[aria-label='QR code of port {port}']")
    here.wait("dialog svg[role=img]")
    assert here.accessible() == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_service_appears_and_disappears_within_two_seconds(
        place, board, tcp_server, address):
    here = board(place.owner).log_in(path_of(place))
    here.wait("h2 >> text=Open ports")
    here.wait(".port-row, .empty")
    port = net.free_port()
    begun = time.monotonic()
    server = tcp_server(address=(address, port))
    here.wait(row(port))
    appeared = time.monotonic() - begun
    here.wait_said(f"Port {port} has opened")
    begun = time.monotonic()
    server.close()
    here.wait_gone(row(port))
    gone = time.monotonic() - begun
    assert appeared < 2 * adit.SCALE and gone < 2 * adit.SCALE


def test_what_is_shared_is_shown_to_a_second_browser_within_a_second(place, board, tcp_server):
    port = tcp_server().port
    first = board(place.owner).log_in(path_of(place))
    second = board(place.owner).log_in(path_of(place))
    for each in (first, second):
        each.wait(row(port))
        assert "Only you" in each.text(row(port))
    first.page.click(f"[aria-label='Share port {port}']")
    choose(first, "authenticated")
    assert "Everyone who can log in can open it." in first.text("dialog")
    begun = time.monotonic()
    first.page.click("dialog >> text=Save")
    second.wait(row(port) + " >> text=Everyone who can log in")
    assert time.monotonic() - begun < 1 * adit.SCALE
    first.wait(row(port) + " >> text=Everyone who can log in")


def test_a_shared_port_is_served_as_long_as_a_forward_is_behind_it(place, board, supervisor):
    port = net.free_port()
    place.owner.run("share", place.name, port, "--level", "authenticated")
    here = board(place.owner).log_in(path_of(place))
    here.wait(row(port) + " >> text=nothing listens")
    mine = adit.Cli(supervisor, place.owner.home, place.owner.name)
    forward = mine.forward(place.name, "-R", f"{port}:127.0.0.1:9")
    here.wait(row(port) + f" >> text=forwarded by {place.owner.name} (-R)")
    forward.stop()
    here.wait(row(port) + " >> text=nothing listens")


def test_people_are_named_and_unknown_ones_refused(deployment, place, board, tcp_server):
    port = tcp_server().port
    guest = deployment.user()
    here = board(place.owner).log_in(path_of(place))
    here.wait(row(port))
    here.page.click(f"[aria-label='Share port {port}']")
    choose(here, "users")
    assert here.page.is_disabled("dialog >> text=Save")
    here.page.fill("dialog .with-button input", "nobody-here")
    here.page.keyboard_press("Enter")
    here.page.click("dialog >> text=Save")
    here.wait("dialog >> text=There is no user \"nobody-here\".")
    here.page.click("[aria-label='Remove nobody-here']")
    here.page.fill("dialog .with-button input", guest.name)
    here.page.keyboard_press("Enter")
    here.page.select_option("dialog select >> nth=0", "3600")
    here.page.click("dialog >> text=Save")
    here.wait_gone("dialog")
    here.wait(f"{row(port)} >> text=You and {guest.name} until")
    here.page.click(f"[aria-label='Share port {port}']")
    here.page.click("dialog >> text=Stop sharing")
    here.wait(f"{row(port)} >> text=Only you")


def test_the_template_caps_what_can_be_chosen_and_says_why(place, board, tcp_server):
    port = tcp_server().port
    here = board(place.owner).log_in(path_of(place))
    here.wait(row(port))
    here.page.click(f"[aria-label='Share port {port}']")
    assert here.page.is_disabled("dialog input[value=public]")
    assert "The template “dash” does not allow this." in here.text("dialog")
    here.page.keyboard_press("Escape")
    here.wait_gone("dialog")
    until(lambda: here.page.evaluate("document.activeElement.ariaLabel") == f"Share port {port}",
          "the focus where it was")


def test_a_shared_port_stays_when_nothing_listens_and_the_agent_is_away(
        place, board, tcp_server, share):
    server = tcp_server()
    share(place, server.port, "authenticated")
    here = board(place.owner).log_in(path_of(place))
    here.wait(row(server.port))
    server.close()
    here.wait(row(server.port) + " >> text=nothing listens")
    assert place.agent.stop() == []
    here.wait("text=Only those that are shared")
    here.wait(row(server.port) + " >> text=Everyone who can log in")
    place.start_agent()
    here.wait(".panel >> text=Connected")


def test_a_port_opens_in_a_new_tab_and_its_protocol_can_be_changed(place, board, app):
    port = app().port
    here = board(place.owner).log_in(path_of(place))
    here.wait(row(port))
    link = f"{row(port)} a.button"
    url = here.page.get_attribute(link, "href")
    assert url.startswith(f"http://{port}--dev--{place.owner.name}.localhost:")
    assert here.page.get_attribute(link, "rel") == "noopener"
    assert here.page.get_attribute(link, "target") == "_blank"
    here.page.select_option(f"{row(port)} select", "https")
    until(lambda: here.page.get_attribute(link, "href") == url.replace("--", "s--", 1),
          "the URL of an HTTPS port")
    here.page.select_option(f"{row(port)} select", "http")
    tab = here.tab()
    tab.page.goto(url)
    tab.wait("pre")


def test_what_speaks_no_http_is_forwarded_and_not_opened(place, board, tcp_server):
    port = tcp_server(lambda connection: connection.sendall(b"220 ready\r\n")).port
    here = board(place.owner).log_in(path_of(place))
    here.wait(row(port) + " >> text=not HTTP")
    assert not here.page.is_visible(f"{row(port)} a")
    assert here.page.is_visible(f"[aria-label='Copy the command that forwards port {port}']")


def test_apps_have_their_names_icons_and_levels(place, board):
    here = board(place.owner).log_in(path_of(place))
    here.wait(".app-tile")
    assert "<b>Site</b>" in here.text(".app-tile >> nth=1")
    assert here.page.is_visible(".app-tile >> nth=0 >> svg")
    assert "Anyone with the link" in here.text(".app-tile >> nth=1")
    here.page.click("[aria-label='Share The Lab']")
    choose(here, "authenticated")
    here.page.click("dialog >> text=Save")
    here.wait(".app-tile >> nth=0 >> text=Everyone who can log in")


def test_the_health_of_an_app_is_shown_as_it_changes(place, board, app):
    here = board(place.owner).log_in(path_of(place))
    tile = ".app-tile:has-text('Checked')"
    here.wait(f"{tile} >> text=Not healthy")
    assert not here.page.is_visible(".app-tile:has-text('The Lab') .status")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", CHECKED),
                                             http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        here.wait(f"{tile} >> text=/^Healthy/")
    finally:
        server.shutdown()
        server.server_close()


@BOTH_SIZES
def test_open_forwards_are_shown_with_person_target_and_bytes(
        place, board, tcp_server, supervisor, size):
    here = board(place.owner, **size).log_in(path_of(place))
    here.wait("text=No forward is open")
    mine = adit.Cli(supervisor, place.owner.home, place.owner.name)
    target = tcp_server().port
    forward = mine.forward("dev", "--tcp", f"{net.free_port()}:{target}")
    with socket.create_connection(("127.0.0.1", forward.ports[0])) as connection:
        connection.sendall(b"x" * 20_000)
        row_of_it = f"section:has(#forwards-title) tr:has-text(':{target}')"
        here.wait(row_of_it)
        until(lambda: "20 KiB" in here.text(row_of_it), "bytes that passed")
        assert place.owner.name in here.text(row_of_it)
        assert here.accessible() == [] and here.fits()
    forward.stop()
    here.wait("text=No forward is open")


def test_an_agent_that_is_reached_directly_says_so(place, board):
    here = board(place.owner).log_in(path_of(place))
    here.wait(".panel >> text=direct")
    place.agent.stop()
    place.start_agent("--no-direct")
    until(lambda: not here.page.is_visible(".panel >> text=direct"), "an agent without a port")


def test_commands_name_the_workspace_and_can_be_copied(deployment, place, board):
    here = board(place.owner, permissions=["clipboard-read", "clipboard-write"])
    here.log_in(path_of(place))
    here.wait("text=adit ssh dev")
    here.page.click("[aria-label='Copy: A shell']")
    here.wait("[aria-label='Copy: A shell'][title=Copied]")
    assert here.page.evaluate("navigator.clipboard.readText()") == "adit ssh dev"
    other = board(deployment.admin).log_in(path_of(place))
    other.wait(f"text=adit ssh {place.owner.name}/dev")
    assert not other.page.is_visible(".port-row [aria-label^='Share']")


@BOTH_SIZES
def test_a_new_token_ends_the_old_one(place, board, size):
    here = board(place.owner, **size).log_in(path_of(place))
    here.page.click("text=New agent token")
    here.page.click("dialog >> text=Replace the token")
    here.wait("dialog .command")
    token = re.match(r"ADIT_AGENT_TOKEN=(\S+) ", here.text("dialog .command code"))[1]
    here.wait("dialog >> text=Waiting for the agent main")
    place.agent.killed = True
    place.agent.stop()
    place.token_file.write_text(token + "\n")
    place.start_agent()
    here.wait("dialog .waiting-line.here")


def test_deleting_takes_the_name_and_everybody_sees_it(place, board):
    here = board(place.owner).log_in(path_of(place))
    other = board(place.owner).log_in(path_of(place))
    other.wait(".panel")
    here.page.click("text=Delete")
    assert here.page.is_disabled("dialog >> text=Delete the workspace")
    here.page.fill("dialog input", "dev")
    here.page.click("dialog >> text=Delete the workspace")
    here.wait("text=No workspace yet")
    other.wait("text=This workspace does not exist")
    place.agent.killed = True


def test_a_stranger_sees_what_is_not_there(deployment, place, board):
    here = board(deployment.user()).log_in(path_of(place))
    here.wait("text=This workspace does not exist, or you may not see it.")
    assert here.page.url().endswith(path_of(place))


def test_an_auditor_sees_and_changes_nothing(deployment, place, board, tcp_server):
    port = tcp_server().port
    here = board(deployment.user(role="auditor")).log_in(path_of(place))
    here.wait(row(port))
    for control in ("text=Delete", "text=New agent token", f"{row(port)} button",
                    f"{row(port)} a"):
        assert not here.page.is_visible(control)
