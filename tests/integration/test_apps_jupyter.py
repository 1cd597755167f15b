"""A real Jupyter server in the workspace, opened by its own host name."""
import json
import os
import re
import shutil
import uuid

import pytest

from harness import apps, net
from harness.wait import SCALE, until

websocket = pytest.importorskip("websocket")
SECRET = "token-of-the-test"


@pytest.fixture
def jupyter(supervisor, tmp_path):
    """Its port. It knows that it is reached by another name."""
    program = shutil.which("jupyter-notebook")
    if not program:
        pytest.skip("jupyter-notebook is not installed")
    (tmp_path / "notebooks").mkdir()
    port = net.free_port()
    arguments = ["--no-browser", f"--port={port}", "--ip=127.0.0.1", "--port-retries=0",
                 "--NotebookApp.allow_remote_access=True", f"--NotebookApp.token={SECRET}",
                 f"--notebook-dir={tmp_path}/notebooks"]
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    server = supervisor.start("jupyter", [program, *arguments], env=environment, good_codes=None)
    server.wait_line(r"is running at|http://(127\.0\.0\.1|localhost):", timeout=60)
    until(lambda: net.listens(port), "Jupyter listening", timeout=30)
    return port


def run_cell(site, host, cookie, kernel, code):
    """Runs code in the kernel by its WebSocket; what it printed."""
    session, number = uuid.uuid4().hex, uuid.uuid4().hex
    channel = websocket.create_connection(
        f"ws://127.0.0.1:{site.port}/api/kernels/{kernel}/channels?session_id={session}",
        host=host, cookie=cookie, origin=f"http://{host}", timeout=60 * SCALE)
    try:
        channel.send(json.dumps({
            "header": {"msg_id": number, "username": "test", "session": session,
                       "msg_type": "execute_request", "version": "5.3", "date": ""},
            "parent_header": {}, "metadata": {}, "channel": "shell",
            "content": {"code": code, "silent": False, "store_history": False,
                        "user_expressions": {}, "allow_stdin": False, "stop_on_error": True}}))
        while True:
            message = json.loads(channel.recv())
            if message["parent_header"].get("msg_id") != number:
                continue
            if message["msg_type"] == "stream":
                return message["content"]["text"]
            assert message["msg_type"] != "error", message["content"]
    finally:
        channel.close()


@pytest.mark.limit(240)
def test_page_api_and_kernel_work_by_host_name(jupyter, make_deployment):
    site = make_deployment("--wildcard-access-url", "*." + apps.DOMAIN)
    workspace = site.workspace()
    host = apps.host_of(site, jupyter, workspace)
    browser = apps.Browser(site)
    page = browser.log_in(f"http://{host}/tree?token={SECRET}", site.admin)
    assert page.status_code == 200 and page.url.startswith(f"http://{host}/tree")
    assert re.search(r"<title>[^<]*(Home|Jupyter)", page.text)
    logo = browser.get(f"http://{host}/static/base/images/logo.png")
    assert logo.content[1:4] == b"PNG"

    xsrf = {"X-XSRFToken": browser.session.cookies.get("_xsrf", domain=host.split(":")[0]) or ""}
    made = browser.request("POST", f"http://{host}/api/kernels", json={}, headers=xsrf)
    assert made.status_code == 201, made.text
    kernel = made.json()["id"]
    cookie = "; ".join(f"{c.name}={c.value}" for c in browser.session.cookies
                       if c.domain.lstrip(".") in host)
    assert run_cell(site, host, cookie, kernel, "print(6 * 7)") == "42\n"
    gone = browser.request("DELETE", f"http://{host}/api/kernels/{kernel}", headers=xsrf)
    assert gone.status_code == 204
