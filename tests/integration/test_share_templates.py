"""Templates from the command line: taken whole or not at all, and followed at once."""
import socket

import pytest

from harness import apps, net
from harness.wait import SCALE, until

GOOD = """\
description: For the tests
max_port_share_level: users
forwarding:
  local: true
  permit_open: ["localhost:*"]
apps:
  - slug: shop
    display_name: Shop
    url: http://localhost:%d/
    share: authenticated
  - slug: path
    url: http://localhost:%d/
    subdomain: false
"""

BAD = """\
# three things are wrong
cors: simple
forwarding:
  local: true
  permit_opn: []
  public_listen: 1

apps:
  - slug: shop
"""


@pytest.fixture
def site(make_deployment):
    made = make_deployment("--wildcard-access-url", "*." + apps.DOMAIN)
    made.anna = made.user("anna")
    return made


def test_a_template_is_pushed_shown_listed_and_deleted(site, tmp_path):
    admin, file = site.admin, tmp_path / "gpu.yaml"
    file.write_text(GOOD % (1000, 1000))
    assert "made" in admin.run("templates", "push", "gpu", file).out
    assert "version 2" in admin.run("templates", "push", "gpu", "-", stdin=file.read_text()).out
    assert site.anna.run("templates", "show", "gpu").out == file.read_text()
    listed = {each["name"]: each
              for each in site.anna.run("templates", "list", "--output", "json").json()}
    assert listed["gpu"]["version"] == 2
    assert listed["gpu"]["policy"]["max_port_share_level"] == "users"
    assert "gpu" in site.anna.run("templates", "list").out
    site.anna.run("create", "dev", "--template", "gpu")
    assert "workspaces" in admin.run("templates", "delete", "gpu", "--yes", code=1).err
    site.anna.run("delete", "dev", "--yes")
    admin.run("templates", "delete", "gpu", "--yes")
    admin.run("templates", "show", "gpu", code=1)


def test_everything_that_is_wrong_is_told_with_file_line_and_key(site, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(BAD)
    told = site.admin.run("templates", "push", "default", file, code=1)
    assert told.out == ""
    assert told.err.splitlines() == [
        f"{file}:5: forwarding.permit_opn: unknown key (did you mean permit_open?)",
        f"{file}:6: forwarding.public_listen: must be true or false",
        f"{file}:9: apps[0].url: is missing",
    ]
    assert site.admin.run("templates", "list", "--output", "json").json()[0]["version"] == 1
    file.write_text("a: [1\n")
    told = site.admin.run("templates", "push", "default", "bad.yaml", code=1, cwd=tmp_path)
    assert told.err.startswith("bad.yaml:2: not valid YAML: ")
    file.write_bytes(b"cors: \xff\n")
    assert "UTF-8" in site.admin.run("templates", "push", "default", file, code=1).err
    missing = site.admin.run("templates", "push", "default", tmp_path / "none", code=1)
    assert "cannot be opened" in missing.err


def test_only_administrators_change_templates(site):
    site.anna.run("templates", "push", "mine", "-", stdin="{}\n", code=3)
    site.anna.run("templates", "delete", "default", "--yes", code=3)


def test_apps_of_a_template_open_by_their_name(site):
    app = apps.App()
    site.admin.run("templates", "push", "default", "-", stdin=GOOD % (app.port, app.port))
    site.workspace(site.anna, "dev")
    url = site.anna.run("open", "dev", "shop", "--print").out.strip()
    assert url == f"http://shop--dev--anna.{apps.DOMAIN}:{site.port}/"
    host = url.removeprefix("http://").rstrip("/")
    for person in (site.anna, site.user("bob")):
        connection = apps.Connection(site, host, apps.token_of(person, site.url))
        assert connection.json()["path"] == "/"
        connection.close()
    assert site.anna.run("open", "dev", "path", "-p").out.strip() == (
        f"{site.url}/@anna/dev/apps/path/")
    assert "did you mean 'shop'?" in site.anna.run("open", "dev", "shpo", code=1).err
    app.close()


def test_an_app_is_shared_over_its_template(site):
    anna, app = site.anna, apps.App()
    site.admin.run("templates", "push", "default", "-", stdin=GOOD % (app.port, app.port))
    site.workspace(anna, "dev")
    tokens = {name: apps.token_of(site.user(name), site.url) for name in ("bob", "eve")}
    host = anna.run("open", "dev", "shop", "--print").out.strip()[len("http://"):].rstrip("/")

    def statuses():
        got = []
        for name in ("bob", "eve"):
            connection = apps.Connection(site, host, tokens[name])
            got.append(connection.ask("GET", "/").status)
            connection.close()
        return got

    def shown():
        listed = anna.run("show", "dev", "--output", "json").json()["apps"]
        return {each["slug"]: (each["share"], each["own"] and each["own"]["users"])
                for each in listed}
    assert shown() == {"shop": ("authenticated", None), "path": ("owner", None)}
    said = anna.run("share", "dev", "shop", "--level", "users", "--with", "bob").out
    assert said.splitlines()[0] == "App shop of dev is open to bob."
    assert statuses() == [200, 404]
    assert shown()["shop"] == ("users", ["bob"])
    for command in (("ports", "dev"), ("show", "dev")):
        row = next(line for line in anna.run(*command).out.splitlines() if line.startswith("shop"))
        assert " bob " in row and host in row
    refused = anna.run("share", "dev", "shop", "--level", "public", code=3).err
    assert '"default"' in refused and '"authenticated"' in refused
    refused = anna.run("share", "dev", "path", "--level", "authenticated", code=3).err
    assert '"default"' in refused and '"users"' in refused
    assert "no app" in anna.run("share", "dev", "none", "--level", "owner", code=1).err
    anna.run("share", "dev", "shop", "--level", "owner", "--expires", "2h", "--output", "json")
    assert statuses() == [404, 404]
    assert "for another 2 h" in anna.run("ports", "dev").out
    said = anna.run("unshare", "dev", "shop").out
    assert said == "App shop of dev is open as its template says again.\n"
    assert statuses() == [200, 200]
    anna.run("unshare", "dev", "shop", code=1)

    anna.run("share", "dev", "path", "--with", "bob")
    site.admin.run("templates", "push", "default", "-", stdin="{}\n")
    assert "(not in the template)" in anna.run("ports", "dev").out
    assert "no app 'path'" in anna.run("open", "dev", "path", code=1).err
    assert anna.run("unshare", "dev", "path", "--output", "json").json() == {
        "workspace": "dev", "slug": "path"}
    assert anna.run("show", "dev", "--output", "json").json()["apps"] == []
    app.close()


def test_a_new_version_ends_forwards_that_it_forbids(site, tcp_echo):
    site.workspace(site.anna, "dev")
    other = net.TcpServer(net.echo, ("127.0.0.1", 0))
    forward = site.anna.forward("dev", "--tcp", f"{net.free_port()}:{tcp_echo.port}",
                                "--tcp", f"{net.free_port()}:{other.port}")
    streams = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in forward.ports]
    for stream in streams:
        stream.sendall(b"hello")
        assert stream.recv(5) == b"hello"

    site.admin.run("templates", "push", "default", "-",
                   stdin=f'forwarding:\n  permit_open: ["localhost:{other.port}"]\n')
    streams[0].settimeout(2 * SCALE)
    try:
        assert streams[0].recv(1) == b""
    except ConnectionResetError:
        pass
    streams[1].sendall(b"still here")
    assert streams[1].recv(10) == b"still here"

    def refused():
        try:
            with socket.create_connection(("127.0.0.1", forward.ports[0]), timeout=10) as again:
                again.sendall(b"x")
                return again.recv(1) == b""
        except ConnectionError:
            return True
    assert refused()
    site.admin.run("templates", "push", "default", "-", stdin="{}\n")
    until(lambda: not refused(), "the forward's return")
    for stream in streams:
        stream.close()
    forward.stop()
    other.close()
