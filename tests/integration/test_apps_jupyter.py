"""A real Jupyter server in the workspace, opened by its own host name."""
import re

import pytest

from harness import apps, jupyter


@pytest.fixture
def notebooks(supervisor, tmp_path):
    """The server's port. It knows that it is reached by another name."""
    return jupyter.start(supervisor, tmp_path, "--NotebookApp.allow_remote_access=True")


@pytest.mark.limit(240)
def test_page_api_and_kernel_work_by_host_name(notebooks, make_deployment):
    site = make_deployment("--wildcard-access-url", "*." + apps.DOMAIN)
    workspace = site.workspace()
    host = apps.host_of(site, notebooks, workspace)
    browser = apps.Browser(site)
    page = browser.log_in(f"http://{host}/tree?token={jupyter.TOKEN}", site.admin)
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
    printed = jupyter.run_cell(f"http://127.0.0.1:{site.port}", kernel, "print(6 * 7)", host=host,
                               cookie=cookie, origin=f"http://{host}")
    assert printed == "42\n"
    gone = browser.request("DELETE", f"http://{host}/api/kernels/{kernel}", headers=xsrf)
    assert gone.status_code == 204
