"""What others share, on the start page of those whom it is shared with."""
import json
import time
from urllib.parse import urlsplit

import pytest

from harness import adit

from dashboard import SIZES

BOTH_SIZES = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
BOTH_SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture
def place(deployment):
    return deployment.workspace(deployment.user(), "dev")


def row(place, port):
    return (f".shared-row:has(.shared-name:text-is('Port {port}'))"
            f":has-text('{place.owner.name}/{place.name}')")


@BOTH_SIZES
@BOTH_SCHEMES
def test_the_list_is_accessible_and_fits(deployment, place, board, app, size, scheme):
    guest, port = deployment.user(), app().port
    place.owner.run("share", place.name, port, "--with", guest.name, "--expires", "2h")
    place.owner.run("share", place.name, 9, "--with", guest.name)
    here = board(guest, colorScheme=scheme, **size).log_in()
    here.wait("h2 >> text=Shared with you")
    here.wait(row(place, port) + " >> text=Open")
    here.wait(row(place, 9) + " >> text=Nothing listens")
    assert here.accessible() == []
    assert here.fits()
    here.page.click(row(place, port) + " >> [aria-label^='QR code']")
    here.wait("dialog svg[role=img]")
    assert here.accessible() == []


def test_a_share_comes_and_goes_within_a_second(deployment, place, board, app):
    guest, port = deployment.user(), app().port
    here = board(guest).log_in()
    here.wait("text=No workspace yet")
    place.owner.run("share", place.name, port, "--with", guest.name)
    begun = time.monotonic()
    here.wait(row(place, port))
    assert time.monotonic() - begun < 1 * adit.SCALE
    assert "With you by name" in here.text(row(place, port))
    here.wait_said(f"Port {port} of {place.owner.name}/dev is shared with you")
    place.owner.run("share", place.name, port, "--level", "authenticated")
    here.wait(row(place, port) + " >> text=With everyone who can log in")
    place.owner.run("unshare", place.name, port)
    begun = time.monotonic()
    here.wait_gone(row(place, port))
    assert time.monotonic() - begun < 1 * adit.SCALE


def test_what_is_shared_opens_and_its_url_can_be_copied(deployment, place, board, app):
    guest, port = deployment.user(), app().port
    place.owner.run("share", place.name, port, "--with", guest.name)
    here = board(guest).log_in()
    here.wait(row(place, port))
    url = here.page.get_attribute(row(place, port) + " >> text=Open", "href")
    assert urlsplit(url).hostname.startswith(f"{port}--dev--{place.owner.name}.")
    tab = here.tab().page
    tab.goto(url)
    assert json.loads(tab.text_content("pre"))["path"] == "/"
    here.page.click(row(place, port) + " >> [aria-label^='Copy the URL']")
    here.wait(row(place, port) + " >> .copy-done")


def test_a_share_that_has_ended_by_itself_is_gone(deployment, place, board):
    guest = deployment.user()
    here = board(guest).log_in()
    here.wait("text=No workspace yet")
    place.owner.run("share", place.name, 3000, "--with", guest.name, "--expires",
                    f"{int(4 * adit.SCALE)}s")
    here.wait(row(place, 3000))
    here.wait_gone(row(place, 3000))


def test_the_state_is_that_of_the_workspace(deployment, place, board, app):
    guest, port = deployment.user(), app().port
    place.owner.run("share", place.name, port, "--with", guest.name)
    here = board(guest).log_in()
    here.wait(row(place, port) + " >> text=Open")
    assert place.agent.stop() == []
    here.wait(row(place, port) + " >> text=Workspace away")
