"""Programs that people really open: a dev server with hot reload, a notebook with its kernel."""
import json
import os

import pytest

from chromium import HERE
from harness import jupyter, net
from harness.guide import Guide

NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "language": "python",
                                        "display_name": "Python 3"}},
            "cells": [{"id": "a", "cell_type": "code", "execution_count": None, "metadata": {},
                       "outputs": [], "source": "print(6 * 7)"}]}
INDEX = """<!doctype html><html lang="en"><title>dev</title><h1></h1>
<script type="module" src="/main.js"></script></html>"""
MAIN = """import { text } from "./text.js";
const show = shown => { document.querySelector("h1").textContent = shown };
show(text);
import.meta.hot.accept("./text.js", changed => show(changed.text));
"""


def environment(home):
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


def opened(page, url, person, log_in):
    page.goto(url)
    log_in(page, person)


@pytest.fixture
def vite(supervisor, tmp_path):
    """A Vite dev server and its project: (port, folder)."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "index.html").write_text(INDEX)
    (folder / "main.js").write_text(MAIN)
    (folder / "text.js").write_text("export const text = 'before';\n")

    def start(*configuration):
        (folder / "vite.config.mjs").write_text(
            f"export default {{ server: {{ {', '.join(configuration)} }} }};\n")
        port = net.free_port()
        server = supervisor.start(
            "vite", ["node", HERE / "node_modules/vite/bin/vite.js", "--host", "127.0.0.1",
                     "--port", str(port), "--strictPort"],
            cwd=folder, env=environment(tmp_path), good_codes=None)
        server.wait_line(r"ready in", timeout=30)
        return port, folder
    return start


def reloads_while_open(browser, page, folder, since, before="before", after="after"):
    page.wait_for_selector(f"h1:text('{before}')")
    browser.wait_line(r"\[vite\] connected", since)
    page.evaluate("void (window.sameDocument = true)")
    (folder / "text.js").write_text(f"export const text = '{after}';\n")
    page.wait_for_selector(f"h1:text('{after}')")
    assert page.evaluate("window.sameDocument") is True


def test_vite_reloads_hot(workspace, vite, browser, visitor, url_of, log_in):
    port, folder = vite()
    page, since = visitor().new_page(), browser.position()
    opened(page, url_of(workspace, port), workspace.owner, log_in)
    reloads_while_open(browser, page, folder, since)


def test_vite_reloads_hot_under_a_name_of_the_world(
        named_deployment, vite, browser, visitor, named_url_of, log_in):
    workspace = named_deployment.workspace()
    port, folder = vite("allowedHosts: ['.apps.adit.test']")
    page, since = visitor().new_page(), browser.position()
    opened(page, named_url_of(workspace, port), workspace.owner, log_in)
    reloads_while_open(browser, page, folder, since)


@pytest.fixture
def notebooks(supervisor, tmp_path):
    """The port of a Jupyter server; a notebook with one cell is there."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/sum.ipynb").write_text(json.dumps(NOTEBOOK))
    return jupyter.start(supervisor, tmp_path, "--NotebookApp.allow_remote_access=True")


@pytest.mark.limit(150)
def test_a_notebook_runs_its_kernel(workspace, notebooks, visitor, url_of, log_in):
    page = visitor().new_page()
    opened(page, url_of(workspace, notebooks, f"/notebooks/sum.ipynb?token={jupyter.TOKEN}"),
           workspace.owner, log_in)
    page.wait_for_function("window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel "
                           "&& Jupyter.notebook.kernel.is_connected()")
    page.click(".code_cell .CodeMirror")
    page.keyboard_press("Shift+Enter")
    page.wait_for_selector(".output_stdout pre:text('42')")


def test_the_guide_to_showing_a_dev_server_is_true(named_deployment, supervisor, visitor, browser,
                                                   log_in, tmp_path):
    named_deployment.workspace(name="dev")
    ada, bob = named_deployment.admin, named_deployment.user("bob")
    folder, ports = tmp_path / "project", (net.free_port(), net.free_port())
    folder.mkdir()
    server = named_deployment.port
    guide = Guide("docs/guides/dev-server.md", supervisor, folder, {
        ".apps.example.com/": f".apps.adit.test:{server}/", ".apps.example.com": ".apps.adit.test",
        "--ada.": f"--{ada.name}.", "https://8080": "http://8080", "5173": ports[0],
        "8080": ports[1], "curl ": f"curl -s --resolve '*:{server}:127.0.0.1' "})
    (folder / "index.html").write_text(INDEX)
    (folder / "main.js").write_text(MAIN)
    (folder / "text.js").write_text("export const text = 'before';\n")
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    settings = guide.text.split("```js\n")[1].split("```")[0]
    (folder / "vite.config.mjs").write_text(guide.ours(settings))
    guide.start("npx vite", good_codes=None).wait_line("ready in", timeout=30)

    def look(port, *texts):
        """Bob follows the link that ada has sent."""
        since, page = browser.position(), visitor().new_page()
        opened(page, guide.run("adit open", ada).strip(), bob, log_in)
        reloads_while_open(browser, page, folder, since, *texts)
        assert str(port) in page.url()
        return page
    guide.run("adit share dev 5173", ada)
    page = look(ports[0], "before", "after")
    assert "bob, for another" in guide.run("adit ports", ada)
    guide.run("adit unshare", ada)
    assert page.reload().status() == 404

    lent = guide.start("adit port-forward", ada)
    lent.wait_line("^Forwarding ", timeout=20)
    guide.run("adit share dev 8080", ada)
    page = look(ports[1], "after", "at last")
    script = f'{guide.command("TOKEN=")}; {guide.command("curl")}'
    asked = guide.start("curl", bob, text=script)
    assert asked.wait_exit() == 0
    assert '<script type="module" src="/main.js">' in asked.text("out")
    assert lent.stop() == []
    assert page.reload().status() == 502
    page.wait_for_selector(f"text=Nothing answers on port {ports[1]}")
    recorded = guide.run("adit audit", ada)
    for event in ("share_set", "share_delete", "forward_close", "listen_open"):
        assert event in recorded
    guide.finish()
