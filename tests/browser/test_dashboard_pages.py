"""The dashboard's other pages: people, tokens, account, templates, audit, help."""
import csv
import io
import json
import secrets
from urllib.parse import urlsplit

import pytest

from harness import adit
from harness.wait import until

from dashboard import SIZES

BOTH_SIZES = pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
BOTH_SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])
PAGES = ["/templates", "/templates/default", "/people", "/tokens", "/account", "/audit", "/help",
         "/nothing"]


@BOTH_SIZES
@BOTH_SCHEMES
def test_every_page_is_accessible_and_fits(deployment, board, size, scheme):
    here = board(deployment.admin, colorScheme=scheme, **size).log_in()
    for path in PAGES:
        here.go(path)
        until(lambda: not here.page.is_visible(".loading"), f"{path} loaded")
        assert here.accessible() == [], path
        assert here.fits(), path


@BOTH_SIZES
@BOTH_SCHEMES
def test_log_in_and_set_up_are_accessible_and_fit(make_deployment, board, size, scheme):
    deployment = make_deployment(set_up=False)
    here = board(None, deployment=deployment, colorScheme=scheme, **size)
    here.go("/setup")
    assert here.accessible() == [] and here.fits()
    deployment.set_up()
    here.go("/login")
    assert here.accessible() == [] and here.fits()


@BOTH_SIZES
def test_the_menu_leads_everywhere_and_focus_and_title_follow(deployment, board, size):
    here = board(deployment.admin, **size).log_in()
    for name in ("Templates", "People", "Tokens", "Audit", "Help", "Workspaces"):
        here.menu(name)
        here.wait(f"h1 >> text={name}")
        here.page.wait_for_function("document.activeElement.tagName === 'H1'")
        assert here.page.title() == f"{name} – adit"
    here.page.go_back()
    here.wait("h1 >> text=Help")


def test_a_user_is_made_changed_suspended_and_deleted(deployment, board):
    name = f"user-{secrets.token_hex(3)}"
    here = board(deployment.admin).log_in("/people")
    here.page.click("text=New user")
    here.page.keyboard_type(name)
    here.page.fill("dialog input[type=password]", "short")
    here.page.click("dialog >> text=Create")
    here.wait("dialog .field-error")
    here.page.click("dialog >> text=Make one")
    password = here.page.input_value("dialog input.mono")
    assert len(password) >= 16
    here.page.click("dialog >> text=Create")
    here.wait(f"tr >> text={name}")
    person = adit.Cli(deployment.supervisor, deployment.root / "homes" / name, name)
    person.login(deployment.url, password)

    here.page.click(f"tr:has-text('{name}') >> text=Change")
    here.page.select_option("dialog select", "auditor")
    here.page.fill("dialog input >> nth=0", "Some <i>One</i>")
    here.page.click("dialog >> text=Save")
    here.wait(f"tr:has-text('{name}') >> text=Auditor")
    assert "Some <i>One</i>" in here.text(f"tr:has-text('{name}')")
    here.page.click(f"tr:has-text('{name}') >> text=Change")
    here.page.check("dialog input[type=checkbox]")
    here.page.click("dialog >> text=Save")
    here.wait(f"tr:has-text('{name}') >> text=suspended")
    assert person.run("whoami", code=None).code != 0

    here.page.click(f"[aria-label='Delete {name}']")
    here.page.fill("dialog input", name)
    here.page.click("dialog >> text=Delete the user")
    here.wait_gone(f"tr >> text={name}")


def test_a_user_with_workspaces_is_not_deleted_and_the_reason_is_told(deployment, board):
    owner = deployment.user()
    deployment.workspace(owner=owner, agent=False)
    here = board(deployment.admin).log_in("/people")
    here.page.click(f"[aria-label='Delete {owner.name}']")
    here.page.fill("dialog input", owner.name)
    here.page.click("dialog >> text=Delete the user")
    here.wait("dialog .problem")
    here.page.click("dialog >> text=Cancel")
    here.wait(f"tr >> text={owner.name}")


@BOTH_SIZES
def test_a_token_is_made_shown_once_and_deleted(deployment, board, size):
    person = deployment.user()
    deployment.workspace(owner=person, name="scoped", agent=False)
    here = board(person, **size).log_in("/tokens")
    here.wait("text=No token yet")
    here.page.click("text=New token")
    here.page.keyboard_type("for the tests")
    here.page.select_option("dialog select >> nth=0", f"workspace:{person.name}/scoped")
    here.page.click("dialog >> text=Create")
    token = here.text("dialog .command code")
    assert deployment.api(token).get(f"/workspaces/{person.name}/scoped").json()["name"] == "scoped"
    here.page.click("dialog >> text=Done")
    here.wait(f"tr:has-text('for the tests') >> text={person.name}/scoped")
    assert token not in here.page.content()
    here.page.click("[aria-label='Delete for the tests']")
    here.page.click("dialog >> text=Delete the token")
    here.wait("text=No token yet")
    deployment.api(token).get(f"/workspaces/{person.name}/scoped", 401)


def test_the_password_is_changed_by_who_knows_it(deployment, board):
    person = deployment.user()
    here = board(person).log_in("/account")
    fields = [f"[autocomplete=current-password], [autocomplete=new-password] >> nth={n}"
              for n in range(3)]
    for field, text in zip(fields, ("wrong one", "a new password", "a new password")):
        here.page.fill(field, text)
    here.page.click("text=Change the password")
    here.wait(".field-error")
    assert here.page.input_value(fields[1]) == "a new password"
    here.page.fill(fields[0], person.password)
    here.page.click("text=Change the password")
    here.wait("text=Your password is changed")
    person.password = "a new password"
    board(person).log_in("/account")
    here.page.fill("[autocomplete=name]", "Full Name")
    here.page.click("text=Save")
    here.wait("text=Your profile is saved")


def template_name():
    return f"t-{secrets.token_hex(3)}"


@BOTH_SIZES
def test_a_template_is_refused_at_its_lines_and_then_taken(deployment, board, size):
    name = template_name()
    here = board(deployment.admin, **size).log_in("/templates")
    here.page.click("text=New template")
    here.page.keyboard_type(name)
    here.page.keyboard_press("Enter")
    here.wait("textarea")
    bad = "max_port_share_level: everybody\nunknown: 1\napps:\n  - slug: x\n    url: nonsense\n"
    here.page.fill("textarea", bad)
    here.page.click("text=Create")
    here.wait("text=Line 1")
    for line in (1, 2, 5):
        assert f"Line {line}" in here.text(".editor-errors")
    assert here.text(".gutter .bad >> nth=1") == "2"
    assert here.page.input_value("textarea") == bad
    assert here.accessible() == []
    here.page.fill("textarea", "max_port_share_level: public\n")
    here.page.click("text=Create")
    here.wait("text=Version 1")
    assert urlsplit(here.page.url()).path == f"/templates/{name}"
    here.menu("Templates")
    here.wait(f".template-row:has-text('{name}') >> text=ports: public")


def test_the_editor_indents_and_can_be_left_by_keyboard(deployment, board):
    here = board(deployment.admin).log_in("/templates/default")
    here.page.fill("textarea", "")
    here.page.keyboard_type("apps:")
    here.page.keyboard_press("Enter")
    here.page.keyboard_press("Tab")
    here.page.keyboard_type("- slug: x")
    here.page.keyboard_press("Enter")
    here.page.keyboard_type("url: y")
    assert here.page.input_value("textarea") == "apps:\n  - slug: x\n    url: y"
    here.page.keyboard_press("Escape")
    here.page.keyboard_press("Tab")
    assert here.page.evaluate("document.activeElement.tagName") != "TEXTAREA"


def test_what_is_typed_outlives_a_reload_and_somebody_elses_version_is_not_lost(
        deployment, board, tmp_path):
    name = template_name()
    text = tmp_path / "text.yaml"
    text.write_text("cors: simple\n")
    deployment.admin.run("templates", "push", name, text)
    here = board(deployment.admin).log_in(f"/templates/{name}")
    here.page.fill("textarea", "cors: passthru\n")
    tab = here.page
    tab.evaluate("addEventListener('beforeunload', event => event.stopImmediatePropagation(), 1)")
    tab.reload()
    here.wait("text=Not saved")
    assert tab.input_value("textarea") == "cors: passthru\n"
    text.write_text("identity_headers: true\n")
    deployment.admin.run("templates", "push", name, text)
    here.page.click("text=Save")
    here.wait("text=Somebody else has saved version 2")
    here.page.click("text=Save over it")
    here.wait("text=Version 3")


def test_a_template_in_use_stays_and_tells_by_whom(deployment, board, tmp_path):
    name = template_name()
    text = tmp_path / "text.yaml"
    text.write_text("cors: simple\n")
    deployment.admin.run("templates", "push", name, text)
    owner = deployment.user()
    owner.run("create", "uses-it", "--template", name)
    here = board(deployment.admin).log_in(f"/templates/{name}")
    here.wait(f"text={owner.name}/uses-it")
    here.page.click("text=Delete")
    here.page.fill("dialog input", name)
    here.page.click("dialog >> text=Delete the template")
    here.wait("dialog .problem")
    here.page.click("dialog >> text=Cancel")
    owner.run("delete", "uses-it", "--yes")
    here.wait("text=No workspace")
    here.page.click("text=Delete")
    here.page.fill("dialog input", name)
    here.page.click("dialog >> text=Delete the template")
    here.wait("h1 >> text=Templates")
    member = board(deployment.user()).log_in("/templates/default")
    member.wait("textarea[readonly]")
    assert not member.page.is_visible("main button")


def download(page, click):
    """What the page gives to be saved, read from the blob."""
    page.evaluate("""window.saved = new Promise(done => {
        const make = URL.createObjectURL;
        URL.createObjectURL = blob => { blob.text().then(done); return make.call(URL, blob) };
    }); 0""")
    page.click(click)
    return page.evaluate("window.saved")


@BOTH_SIZES
def test_the_record_is_filtered_paged_and_exported(deployment, board, size):
    person = deployment.user()
    for _ in range(60):
        person.run("create", "again", "--template", "default")
        person.run("delete", "again", "--yes")
    here = board(deployment.admin, **size).log_in(f"/audit?user={person.name}&action=login")
    here.wait(".audit tbody tr")
    assert set(here.texts(".audit .badge")) == {"login"}
    here.page.fill("[aria-label='Filter the record'] input >> nth=2", "workspace_create")
    here.page.keyboard_press("Enter")
    until(lambda: len(here.texts(".audit tbody tr")) == 60,
          "60 events")
    assert "action=workspace_create" in here.page.url()
    events = json.loads(download(here.page, "text=JSON"))
    assert len(events) == 60 and {event["action"] for event in events} == {"workspace_create"}
    rows = list(csv.DictReader(io.StringIO(download(here.page, "text=CSV"))))
    assert [row["id"] for row in rows] == [event["id"] for event in events]
    here.page.click("text=Clear")
    here.page.fill("[aria-label='Filter the record'] input >> nth=0", person.name)
    here.page.keyboard_press("Enter")
    here.page.click("text=Older events")
    until(lambda: len(here.texts(".audit tbody tr")) > 100,
          "a second piece")
    here.page.go_back()
    until(lambda: person.name not in here.page.url(), "the filter before")


def test_a_wrong_filter_says_where(deployment, board):
    here = board(deployment.admin).log_in("/audit?action=nonsense")
    here.wait(".field-error >> text=is not an action")


def test_a_member_reads_only_their_own_record(deployment, board):
    person = deployment.user()
    here = board(person).log_in("/audit")
    here.wait(".audit tbody tr")
    assert set(here.texts(".audit td[data-label=Person]")) <= {person.name, ""}
    here.go("/people")
    here.wait(".problem")


def test_help_names_this_server(deployment, board):
    here = board(deployment.admin).log_in("/help")
    assert f"adit login {deployment.url}" in here.text()
