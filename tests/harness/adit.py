"""The product as its users run it: servers, agents and the command line."""
import json
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

from .process import SANITIZER
from .wait import SCALE, until

PROGRAM = os.environ.get("ADIT_BIN") or str(Path(__file__).parents[2] / "build/adit")


def clean_environment(home, **more):
    """What a program gets from outside: nothing of the caller's own settings."""
    kept = ("PATH", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
            "LSAN_OPTIONS")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment.update(HOME=str(home), XDG_CONFIG_HOME=str(home / "config"), LANG="C.UTF-8",
                       TMPDIR=str(home / "tmp"))
    environment.update(more)
    return environment


@dataclass
class Result:
    """What a finished command left."""

    argv: list
    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)

    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def __str__(self):
        return (f"$ {' '.join(self.argv)}\nexit code {self.code}\n"
                f"--- standard output\n{self.out}\n--- standard error\n{self.err}")


class Cli:
    """The command line of one person on one machine: a home of its own."""

    def __init__(self, supervisor, home, name="nobody"):
        self.supervisor = supervisor
        self.home = Path(home)
        self.name = name
        self.password = None
        (self.home / "config").mkdir(parents=True, exist_ok=True)
        (self.home / "tmp").mkdir(exist_ok=True)

    def run(self, *args, code=0, stdin="", timeout=30, env=None, cwd=None):
        """Runs a command to its end. `code` is the exit code it must have; None: any."""
        argv = [PROGRAM, *map(str, args)]
        run = subprocess.run(
            argv, input=stdin.encode() if isinstance(stdin, str) else stdin, cwd=cwd or self.home,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout * SCALE, check=False,
            env=clean_environment(self.home, **(env or {})))
        result = Result(argv, run.returncode, run.stdout.decode(errors="replace"),
                        run.stderr.decode(errors="replace"))
        assert not SANITIZER.search(result.err), str(result)
        assert code is None or result.code == code, f"exit code {code} expected\n{result}"
        return result

    def start(self, *args, env=None, good_codes=(0,), stop_signal=signal.SIGTERM):
        """Starts a command that goes on until it is stopped."""
        return self.supervisor.start(
            f"{args[0]} ({self.name})", [PROGRAM, *args], cwd=self.home, good_codes=good_codes,
            stop_signal=stop_signal, env=clean_environment(self.home, **(env or {})))

    def forward(self, workspace, *args, env=None):
        """Starts `adit port-forward` and returns when its listeners are open."""
        process = self.start("port-forward", workspace, *args, "--output", "json", env=env)
        return Forward(process)

    def login(self, url, password, *args):
        self.password = password
        return self.run("login", url, "--username", self.name, "--password-stdin", *args,
                        stdin=password + "\n")


class Forward:
    """A running `adit port-forward`, seen through its events."""

    LISTENING = "listening"
    READY = "ready"

    def __init__(self, process):
        self.process = process
        try:
            process.wait_event(event=self.READY, timeout=20)
        except AssertionError:
            process.killed = True
            raise

    @property
    def listeners(self):
        """The events of its listeners, in the order of the arguments."""
        return self.process.events(event=self.LISTENING)

    @property
    def ports(self):
        return [event["port"] for event in self.listeners]

    def wait_event(self, name, timeout=10, **fields):
        return self.process.wait_event(timeout=timeout, event=name, **fields)

    def stop(self):
        assert self.process.stop() == []


class Api:
    """The JSON API, as any HTTP client sees it."""

    def __init__(self, url, token=None):
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method, path, status=None, **options):
        answer = self.session.request(method, f"{self.url}/api/v1{path}", allow_redirects=False,
                                      timeout=20 * SCALE, **options)
        assert status is None or answer.status_code == status, (
            f"{method} {path}: {answer.status_code} instead of {status}\n{answer.text}")
        return answer

    def get(self, path, status=200, **options):
        return self.request("GET", path, status, **options)

    def post(self, path, body=None, status=None, **options):
        return self.request("POST", path, status, json=body, **options)

    def delete(self, path, status=None, **options):
        return self.request("DELETE", path, status, **options)


@dataclass
class Workspace:
    """A workspace and, once started, its agent."""

    name: str
    owner: Cli
    token_file: Path
    deployment: "Deployment"
    agent: object = None
    probes: bool = False

    def start_agent(self, *args, env=None, through=()):
        """Starts the agent and returns when it is connected. `through`: a command that runs it.
        Unless the workspace probes, it leaves alone what other tests listen with and count."""
        home = self.token_file.parent
        (home / "tmp").mkdir(exist_ok=True)
        self.agent = self.deployment.supervisor.start(
            f"agent ({self.name})",
            [*through, PROGRAM, "agent", "--url", self.deployment.url, "--token-file",
             self.token_file, *([] if self.probes else ["--no-port-probe"]), *args],
            env=clean_environment(home, **(env or {})), cwd=home, good_codes=(0,))
        self.wait_connected()
        return self.agent

    def connected(self):
        shown = self.owner.run("show", self.name, "--output", "json", code=None)
        if shown.code != 0:
            return False
        agents = shown.json().get("agents") or [{}]
        return agents[0].get("status") == "connected"

    def wait_connected(self, wanted=True, timeout=20):
        until(lambda: self.connected() == wanted,
              f"agent of {self.name} {'connected' if wanted else 'away'}", timeout)


class Deployment:
    """One server, its data, and the people on it. The address stays the same over restarts."""

    def __init__(self, supervisor, root, options=()):
        self.supervisor = supervisor
        self.root = Path(root)
        self.options = options
        self.server = None
        self.url = None
        self.admin = None
        self._names = 0
        self.root.mkdir(parents=True, exist_ok=True)

    @property
    def port(self):
        return int(self.url.rsplit(":", 1)[1])

    def start(self):
        """Starts the server and returns when it listens."""
        ready = self.root / "ready.json"
        ready.unlink(missing_ok=True)
        (self.root / "tmp").mkdir(exist_ok=True)
        address = f"127.0.0.1:{self.port if self.url else 0}"
        # Tests end servers under open forwards: nobody wants to wait for those.
        drain = () if "--drain-timeout" in self.options else ("--drain-timeout", "2s")
        self.server = self.supervisor.start(
            "server", [PROGRAM, "server", "--listen", address, "--data-dir", self.root / "data",
                       "--ready-file", ready, *drain, *self.options],
            env=clean_environment(self.root), cwd=self.root, good_codes=(0,))

        def is_ready():
            if not self.server.running:
                raise AssertionError(f"the server has ended\n{self.server.tail()}")
            return ready.exists() and ready.read_text().endswith("\n")
        until(is_ready, "server listening", timeout=20)
        self.url = json.loads(ready.read_text())["url"]
        return self

    def set_up(self):
        """Makes the first user, an administrator, and logs it in."""
        self.admin = Cli(self.supervisor, self.root / "admin", "admin")
        self.admin.login(self.url, secrets.token_urlsafe(16), "--first-user")
        return self

    def restart(self):
        """The server ends as asked and comes back at the same address."""
        assert self.server.stop() == []
        return self.start()

    def crash(self):
        """The server dies at once."""
        self.server.kill()

    def unique(self, kind):
        """A name that nothing else here has."""
        self._names += 1
        return f"{kind}-{self._names}"

    def user(self, name=None, role="member"):
        """A new person, logged in."""
        name = name or self.unique("user")
        password = secrets.token_urlsafe(16)
        self.admin.run("users", "create", name, "--role", role, "--password-stdin",
                       stdin=password + "\n")
        person = Cli(self.supervisor, self.root / "homes" / name, name)
        person.login(self.url, password)
        return person

    def workspace(self, owner=None, name=None, agent=True, template=None, probes=False):
        """A new workspace of the owner (the administrator if not given), with its agent.
        `probes`: which finds out what ports speak by connecting to them."""
        owner = owner or self.admin
        name = name or self.unique("ws")
        chosen = ("--template", template) if template else ()
        made = owner.run("create", name, *chosen, "--output", "json").json()
        home = self.root / "agents" / f"{owner.name}.{name}"
        home.mkdir(parents=True)
        token_file = home / "token"
        token_file.touch(mode=0o600)
        token_file.write_text(made["tokens"][0]["token"] + "\n")
        workspace = Workspace(name, owner, token_file, self, probes=probes)
        if agent:
            workspace.start_agent()
        return workspace

    def metrics(self):
        """Every number of /metrics, by its name with its labels."""
        text = requests.get(self.url + "/metrics", timeout=20, verify=False).text
        return {name: float(number) for name, _, number in
                (line.rpartition(" ") for line in text.splitlines() if line[:1] not in ("#", ""))}

    def api(self, token=None):
        return Api(self.url, token)
