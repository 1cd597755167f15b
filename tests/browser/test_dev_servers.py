"""Programs that people really open: a dev server with hot reload, a notebook with its kernel."""
import json
import os
import shutil

import pytest

from chromium import HERE
from harness import net
from harness.wait import until

JUPYTER_TOKEN = "token-of-the-test"
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


def reloads_while_open(browser, page, folder, since):
    page.wait_for_selector("h1:text('before')")
    browser.wait_line(r"\[vite\] connected", since)
    page.evaluate("void (window.sameDocument = true)")
    (folder / "text.js").write_text("export const text = 'after';\n")
    page.wait_for_selector("h1:text('after')")
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
def jupyter(supervisor, tmp_path):
    """Its port; a notebook with one cell is there."""
    program = shutil.which("jupyter-notebook")
    assert program, "jupyter-notebook is not installed"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/sum.ipynb").write_text(json.dumps(NOTEBOOK))
    port = net.free_port()
    arguments = ["--no-browser", f"--port={port}", "--ip=127.0.0.1", "--port-retries=0",
                 "--NotebookApp.allow_remote_access=True",
                 f"--NotebookApp.token={JUPYTER_TOKEN}", f"--notebook-dir={tmp_path}/notebooks"]
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    server = supervisor.start("jupyter", [program, *arguments], env=environment(tmp_path),
                              good_codes=None)
    server.wait_line(r"is running at|http://(127\.0\.0\.1|localhost):", timeout=60)
    until(lambda: net.listens(port), "Jupyter listening", timeout=30)
    return port


@pytest.mark.limit(150)
def test_a_notebook_runs_its_kernel(workspace, jupyter, visitor, url_of, log_in):
    page = visitor().new_page()
    opened(page, url_of(workspace, jupyter, f"/notebooks/sum.ipynb?token={JUPYTER_TOKEN}"),
           workspace.owner, log_in)
    page.wait_for_function("window.Jupyter && Jupyter.notebook && Jupyter.notebook.kernel "
                           "&& Jupyter.notebook.kernel.is_connected()")
    page.click(".code_cell .CodeMirror")
    page.keyboard_press("Shift+Enter")
    page.wait_for_selector(".output_stdout pre:text('42')")
