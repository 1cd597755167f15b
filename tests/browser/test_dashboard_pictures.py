"""Pictures of the dashboard with something going on, for people to look at and for the README:

    ADIT_TEST_PICTURES=docs/images script/test browser -k dashboard_pictures
"""
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from harness import adit, net
from harness.wait import until

from dashboard import DESKTOP, PHONE, Board

ROOT = Path(__file__).parents[2]
TEMPLATE = """\
description: Web development, with notebook and editor
max_port_share_level: authenticated
forwarding:
  local: true
  remote: true
  permit_open: ["localhost:*", "db.internal:5432"]
  permit_listen: ["localhost:*"]
apps:
  - slug: lab
    display_name: Jupyter Lab
    icon: notebook
    url: http://localhost:{lab}/
    healthcheck: {{url: "http://localhost:{lab}/", interval: 1s}}
  - slug: code
    display_name: Editor
    icon: code
    url: http://localhost:{code}/
    share: users
    healthcheck: {{url: "http://localhost:{code}/", interval: 1s, threshold: 1}}
  - slug: docs
    display_name: Handbook
    icon: book
    url: http://localhost:{lab}/docs/
    share: authenticated
"""
WEB_SERVICE = """
import http.server, sys
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])),
                                http.server.SimpleHTTPRequestHandler).serve_forever()
"""

DATABASE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    try:
        connection.recv(4096)
        connection.sendall(b"E" * 3000)
    except OSError:
        pass  # an agent that ended while it was finding out
    connection.close()
"""


def wanted_port(number):
    """This port, if it is free: pictures look better with ports that people know."""
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", number))
        except OSError:
            return net.free_port()
    return number


@pytest.fixture
def services(supervisor, tmp_path):
    """Programs under names that people know: services(name, port, code)."""
    def start(name, port, code=WEB_SERVICE):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.symlink_to(sys.executable)
        home = tmp_path / f"{name}-home"
        home.mkdir()
        (home / "index.html").write_text(f"<!doctype html><title>{name}</title><p>{name}")
        process = supervisor.start(name, [program, "-c", code, str(port)], cwd=home,
                                   env=adit.clean_environment(home), good_codes=(-15,))
        until(lambda: net.listens(port), f"{name} listening")
        return process
    return start


@pytest.fixture
def scene(make_deployment, services, tmp_path):
    deployment = make_deployment()
    ada = deployment.user("ada", role="owner")
    deployment.user("bob")
    ports = {name: wanted_port(number) for name, number in
             (("vite", 5173), ("node", 3000), ("jupyter-lab", 8888), ("postgres", 5432))}
    for name, port in ports.items():
        services(name, port, DATABASE if name == "postgres" else WEB_SERVICE)
    text = tmp_path / "web.yaml"
    text.write_text(TEMPLATE.format(lab=ports["jupyter-lab"], code=net.free_port()))
    ada.run("templates", "push", "web", text)
    dev = make(deployment, ada, "dev", "web")
    dev.start_agent()
    make(deployment, ada, "gpu-2", "default").start_agent()
    old = make(deployment, ada, "build-farm", "default")
    old.start_agent()
    assert old.agent.stop() == []
    make(deployment, ada, "review", "web")
    ada.run("share", "dev", str(ports["node"]), "--with", "bob", "--expires", "8h")
    ada.run("share", "dev", str(ports["vite"]), "--level", "authenticated")
    forward = ada.forward("dev", "--tcp", f"{net.free_port()}:{ports['postgres']}")
    deployment.ports = ports
    deployment.ada = ada
    return deployment, forward


def make(deployment, owner, name, template):
    return deployment.workspace(owner, name, agent=False, template=template, probes=True)


def only(here, ports):
    """Leaves the ports of other programs on this machine out of the picture."""
    here.page.evaluate("""(() => {
        for (const row of document.querySelectorAll('.port-row'))
            if (!PORTS.includes(Number(row.querySelector('.port-number').textContent)))
                row.style.display = 'none';
    })()""".replace("PORTS", json.dumps(list(ports))))


def take(here, folder, name, **options):
    here.page.mouse_move(0, 0)
    path = folder / f"{name}.png"
    here.page.screenshot({"path": str(path), "animations": "disabled", **options})
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size < 200_000


def test_dashboard_pictures(scene, browser, tmp_path):
    deployment, forward = scene
    folder = Path(ROOT / os.environ.get("ADIT_TEST_PICTURES", tmp_path))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", forward.ports[0])) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while s.recv(65536):
                pass
    for scheme, size, suffix in (("light", DESKTOP, ""), ("dark", DESKTOP, "-dark"),
                                 ("light", PHONE, "-phone")):
        context = browser.person(**size, colorScheme=scheme)
        here = Board(context, deployment, deployment.ada, phone=size is PHONE).log_in()
        here.wait(".workspace-row >> nth=3")
        if not suffix:
            take(here, folder, "workspaces")
        here.go("/workspaces/ada/dev")
        shown = [port for name, port in deployment.ports.items() if name != "jupyter-lab"]
        for port in shown:
            here.wait(f".port-number:text-is('{port}')")
        here.wait("text=/^Healthy/")
        here.wait(f"tr:has-text(':{deployment.ports['postgres']}')")
        only(here, shown)
        take(here, folder, f"workspace{suffix}")
        if not suffix:
            here.page.click(f"[aria-label='Share port {deployment.ports['node']}']")
            here.wait("dialog")
            take(here, folder, "share")
        context.close()
