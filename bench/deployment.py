"""A deployment of adit as its users have it: an https server, an agent, a person who has logged
in, and port-forward commands."""
import http.client
import json
import secrets
import ssl
import subprocess

from machine import START_LIMIT_S, wait_until

PASSWORD = secrets.token_urlsafe(16)

# What forces a way: the options of the agent and of the command, and the command's environment.
PATHS = {
    "direct": ((), (), {}),
    "relayed, bulk lane": (("--no-direct",), ("--no-direct",), {}),
    "relayed, session": (("--no-direct",), ("--no-direct",), {"ADIT_NO_LANES": "1"}),
}


class Deployment:
    """`far` goes in front of the argv of server and agent, `near` of the person's commands."""

    def __init__(self, machine, name, addr="127.0.0.1", far=(), near=(), options=()):
        self.machine = machine
        self.folder = machine.folder / name.replace(" ", "-").replace(",", "")
        self.folder.mkdir()
        self._far, self._near = list(far), list(near)
        self._addr, self._options = addr, options
        self._port = 0
        self.environment = {"XDG_CONFIG_HOME": str(self.folder / "config")}
        self.agent = None
        self._api_token = None
        self.server = self.start_server()
        self.run("login", self.url, "--username", "bench", "--password-stdin", "--first-user",
                 stdin=PASSWORD + "\n")

    def start_server(self):
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.server = self.machine.start(
            [*self._far, self.machine.adit, "server", "--listen", f"{self._addr}:{self._port}",
             "--data-dir", self.folder / "data", "--ready-file", ready, "--drain-timeout", "1s",
             "--tls-cert", self.machine.cert, "--tls-key", self.machine.key, "--log-level",
             "error", *self._options])
        wait_until(lambda: ready.exists() and ready.read_text().endswith("\n"),
                   "the server listens", 60)
        self.url = json.loads(ready.read_text())["url"]
        self._port = self.port = int(self.url.rsplit(":", 1)[1])
        return self.server

    def run(self, *args, stdin=None):
        return self.machine.run(*self._near, self.machine.adit, *args, "--ca-file",
                                self.machine.cert, stdin=stdin, env=self.environment)

    def start_agent(self, path="direct"):
        token = self.folder / "token"
        self.run("create", "bench", "--token-file", token)
        self.agent = self.machine.start([*self._far, self.machine.adit, "agent", "--url", self.url,
                                         "--token-file", token, *PATHS[path][0]])
        wait_until(self._agent_is_there, "the agent is connected")

    def _agent_is_there(self):
        found = json.loads(self.run("show", "bench", "--output", "json"))
        return any(agent["status"] == "connected" for agent in found["agents"])

    def forward(self, path, *specs):
        """Starts port-forward; returns when it listens (and, for direct, is so)."""
        _, options, environment = PATHS[path]
        command = self.machine.start(
            [*self._near, self.machine.adit, "port-forward", "bench", *specs, "--wait=20",
             "--ca-file", self.machine.cert, *options],
            env={**self.environment, **environment}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        wanted = "Direct connection" if path == "direct" else "Connected"
        lines = []
        while not lines or not lines[-1].startswith(wanted):
            line = command.stdout.readline().decode()
            if not line:
                raise RuntimeError(f"adit port-forward ended: {''.join(lines)}")
            lines.append(line)
        # What it says must be read, or it would wait for us.
        subprocess.Popen(["cat"], stdin=command.stdout, stdout=subprocess.DEVNULL)
        return command

    def api_token(self):
        if not self._api_token:
            made = self.run("tokens", "create", "bench", "--output", "json")
            self._api_token = json.loads(made)["token"]
        return self._api_token

    def ticket(self, port):
        """The Host and the Cookie by which the app on a port takes requests for a minute."""
        host = f"{port}--main--bench--bench.localhost:{self.port}"
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=START_LIMIT_S,
            context=ssl._create_unverified_context())
        connection.putrequest("GET", "/", skip_host=True)
        connection.putheader("Host", host)
        connection.putheader("Adit-Session-Token", self.api_token())
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"the app proxy answered {answer.status}")
        cookie = answer.headers["Set-Cookie"].split(";")[0]
        connection.close()
        return host, cookie
