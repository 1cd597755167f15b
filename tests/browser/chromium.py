"""Debian's Chromium, driven through playwright-core by a Node process (driver.mjs).

Methods have playwright's names in snake_case: page.wait_for_selector(...) is waitForSelector
there, page.keyboard_press(...) is keyboard.press, and page.mouse_move(...) is mouse.move.
"""
import itertools
import json
import os
import re
import shutil
from pathlib import Path

from harness.wait import SCALE

HERE = Path(__file__).parent
PAGE_TIMEOUT_S = 20
# No sandbox: it wants unprivileged user namespaces, which containers and root do not have. The
# rest keeps the browser from talking to anybody but the tests.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage"]


class BrowserError(AssertionError):
    """What playwright says went wrong."""


class Remote:
    """An object of playwright's."""

    def __init__(self, driver, handle):
        self._driver = driver
        self.handle = handle

    def __getattr__(self, name):
        name = re.sub("^(keyboard|mouse)_", r"\1.", name)
        call = re.sub(r"_(.)", lambda match: match[1].upper(), name)
        return lambda *args: self._driver.call(self.handle, call, args)


class Driver:
    """A running browser. `hosts`: --host-resolver-rules, such as "MAP *.example.test 127.0.0.1"."""

    def __init__(self, supervisor, home, hosts=None):
        self._numbers = itertools.count(1)
        home.mkdir(parents=True, exist_ok=True)
        self._process = supervisor.start(
            "browser", [shutil.which("node") or "node", HERE / "driver.mjs"], cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home),
                 "LANG": "C.UTF-8", "PAGE_TIMEOUT_MS": str(int(PAGE_TIMEOUT_S * 1000 * SCALE))})
        rules = [f"--host-resolver-rules={hosts}"] if hosts else []
        self._browser = self.call("chromium", "launch", [{
            "executablePath": "/usr/bin/chromium", "headless": True, "chromiumSandbox": False,
            "args": FLAGS + rules}])

    def call(self, handle, method, args):
        number = next(self._numbers)
        since = self._process.position()
        request = {"id": number, "on": handle, "call": method, "args": list(args)}
        self._process.write(json.dumps(request).encode() + b"\n")
        answer = self._process.wait_event(timeout=PAGE_TIMEOUT_S * 2, since=since, id=number)
        if "error" in answer:
            raise BrowserError(f"{method}{tuple(args)}: {answer['error']}")
        value = answer.get("value")
        if isinstance(value, dict) and "handle" in value:
            return Remote(self, value["handle"])
        return value

    def person(self, **options):
        """A browser that knows nobody yet: cookies of its own. Options of newContext."""
        return self._browser.new_context(options)

    def position(self):
        """To be passed as `since`."""
        return self._process.position()

    def wait_line(self, pattern, since):
        """Waits for a line that a page wrote to its console, or one of its requests."""
        return self._process.wait_line(pattern, PAGE_TIMEOUT_S, since, "err")

    def errors(self, page, since):
        """What the page has complained about. Others that were closed may still be heard of."""
        return [line for line in self._process.text("err", since).splitlines()
                if re.match(rf"{page.handle} (console )?error: ", line)]

    def close(self):
        self._browser.close()
