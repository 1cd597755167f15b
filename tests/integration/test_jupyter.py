"""A real Jupyter server in the workspace, used through a forward."""
import re
import shutil
import signal
from urllib.parse import urlsplit

import pytest
import requests

from harness import jupyter, net
from harness.adit import Workspace
from harness.guide import Guide
from harness.wait import until


@pytest.fixture
def notebooks(supervisor, tmp_path):
    """The server's port."""
    return jupyter.start(supervisor, tmp_path)


def use(url, token):
    """A page, its pictures, and a kernel that computes."""
    person = requests.Session()
    person.trust_env = False

    page = person.get(f"{url}/tree", params={"token": token}, timeout=30)
    assert page.status_code == 200
    assert re.search(r"<title>[^<]*(Home|Jupyter)", page.text)
    assert person.get(f"{url}/static/base/images/logo.png", timeout=30).content[1:4] == b"PNG"

    headers = {"Authorization": f"token {token}"}
    assert person.get(f"{url}/api/kernels", headers=headers, timeout=30).json() == []
    xsrf = {"X-XSRFToken": person.cookies.get("_xsrf", "")}
    kernel = person.post(f"{url}/api/kernels", headers={**headers, **xsrf}, json={},
                         timeout=60).json()["id"]
    printed = jupyter.run_cell(url, kernel, "print(6 * 7)",
                               header=[f"Authorization: token {token}"])
    assert printed == "42\n"
    assert person.delete(f"{url}/api/kernels/{kernel}", headers={**headers, **xsrf},
                         timeout=60).status_code == 204


@pytest.mark.limit(180)
def test_page_api_and_kernel_work_through_a_forward(notebooks, forward):
    port = net.free_port()
    forward("--tcp", f"{port}:{notebooks}")
    use(f"http://127.0.0.1:{port}", jupyter.TOKEN)


@pytest.mark.limit(240)
def test_the_guide_is_true(own_deployment, supervisor, tmp_path):
    ada, node, port = own_deployment.admin, tmp_path / "node", net.free_port()
    (node / ".jupyter").mkdir(parents=True)
    (node / "tmp").mkdir()
    # It would ask for an option; people are not root on a shared node.
    (node / ".jupyter/jupyter_notebook_config.py").write_text("c.NotebookApp.allow_root = True\n")
    guide = Guide("docs/guides/jupyter.md", supervisor, node, {
        "https://adit.example.com": own_deployment.url, "/scratch/ada": node, "8888": port,
        "jupyter ": "/usr/bin/jupyter "})
    here = f"http://127.0.0.1:{port}"
    guide.run("adit create", ada)
    assert guide.command("scp") == "scp node7.token login.cluster.example:"
    shutil.copy(ada.home / "node7.token", node)
    guide.run("chmod")
    guide.start("adit agent")
    Workspace("node7", ada, node / "node7.token", own_deployment).wait_connected()

    def notebook(beginning):
        running = guide.start(beginning, good_codes=None)
        return running, running.wait_line(r"\?token=([0-9a-f]+)", timeout=60, stream="err")[1]
    running, token = notebook("jupyter notebook --no-browser --sock")
    assert (node / "jupyter.sock").stat().st_mode & 0o777 == 0o600
    forward = guide.start("adit port-forward", ada)
    forward.wait_line("^Forwarding ", timeout=20)
    use(here, token)
    assert forward.stop() == []

    ssh = guide.start("adit ssh node7 -N", ada, good_codes=None, stop_signal=signal.SIGKILL)
    until(lambda: net.listens(port), "ssh listens", 20)
    use(here, token)
    assert ssh.stop() == running.stop() == []

    running, token = notebook("jupyter notebook --no-browser --port")
    url = guide.run("adit open", ada).strip()
    mine = ada.run("tokens", "create", "browser").out.strip()
    answer = requests.get(f"{own_deployment.url}/api/status", timeout=30, headers={
        "Host": urlsplit(url).netloc, "Adit-Session-Token": mine,
        "Authorization": f"token {token}"})
    assert "kernels" in answer.json()
    assert running.stop() == []
    guide.finish()
