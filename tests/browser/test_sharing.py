"""Sharing as people do it: commands on one side, a browser on the other."""
import json
from urllib.parse import urlsplit

SOCKET = """new Promise((done, failed) => {
    const socket = new WebSocket(location.origin.replace('http', 'ws') + '/socket');
    window.socketGone = new Promise(gone => { socket.onclose = () => gone('closed') });
    socket.onopen = () => done('open');
    socket.onerror = () => failed(new Error('no socket'));
})"""
GONE_IN_TIME = """Promise.race([window.socketGone,
    new Promise(late => setTimeout(late, 2000, 'still open'))])"""


def test_a_share_opens_a_port_and_its_end_closes_it(workspace, deployment, app, visitor, log_in):
    port, friend, owner = app().port, deployment.user(), workspace.owner
    url = owner.run("open", workspace.name, port, "--print").out.strip() + "?a=1"
    page = visitor().new_page()
    page.goto(url)
    log_in(page, friend)
    page.wait_for_selector("text=Not found")

    owner.run("share", workspace.name, port, "--with", friend.name)
    assert page.reload().status() == 200
    assert json.loads(page.text_content("pre"))["path"] == "/?a=1"
    assert page.evaluate(SOCKET) == "open"

    owner.run("unshare", workspace.name, port)
    assert page.evaluate("fetch('/again').then(answer => answer.status)") == 404
    assert page.evaluate(GONE_IN_TIME) == "closed"
    assert page.reload().status() == 404


def test_apps_of_a_template_open_by_name_and_by_path(own_deployment, app, visitor, log_in):
    service = app()
    owner = own_deployment.admin
    template = owner.home / "template.yaml"
    template.write_text("apps:\n" + "".join(
        f"  - slug: {slug}\n    url: http://localhost:{service.port}/\n    subdomain: {by_name}\n"
        for slug, by_name in (("named", "true"), ("path", "false"))))
    owner.run("templates", "push", "default", template)
    workspace = own_deployment.workspace()

    page = visitor().new_page()
    by_path = owner.run("open", workspace.name, "path", "--print").out.strip()
    assert by_path.startswith(own_deployment.url + "/@")
    page.goto(by_path + "deep?q=%26")
    assert urlsplit(page.url()).path == "/login"
    log_in(page, owner)
    page.wait_for_selector("pre")
    assert page.url() == by_path + "deep?q=%26"
    got = json.loads(page.text_content("pre"))
    assert got["path"].endswith("/deep?q=%26")
    assert "cookie" not in [name.lower() for name, _ in got["headers"]]

    by_name = owner.run("open", workspace.name, "named", "--print").out.strip()
    assert urlsplit(by_name).hostname.startswith("named--")
    assert page.goto(by_name).status() == 200
