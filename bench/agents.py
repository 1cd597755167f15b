"""What connected agents cost the server, and how soon all are back after a restart of it."""
import http.client
import json
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from deployment import Deployment
from machine import resident_kib

WAIT_LIMIT_S = 120
CREATORS = 4
SETTLE_S = 4  # until an agent is idle


def _create_some(job):
    """Workspaces with numbers: a token each."""
    deployment, token, numbers = job
    connection = http.client.HTTPSConnection(
        "127.0.0.1", deployment.port, timeout=30, context=ssl._create_unverified_context())
    found = []
    for number in numbers:
        connection.request("POST", "/api/v1/workspaces", json.dumps({"name": f"w{number}"}),
                           {"Authorization": f"Bearer {token}",
                            "Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 201:
            raise RuntimeError(f"a workspace cannot be created: {answer.status} {body}")
        found.append(json.loads(body)["tokens"][0]["token"])
    connection.close()
    return found


def _create(deployment, count):
    token = deployment.api_token()
    jobs = [(deployment, token, range(first, count, CREATORS)) for first in range(CREATORS)]
    with ThreadPoolExecutor(CREATORS) as pool:
        return [token for part in pool.map(_create_some, jobs) for token in part]


def _next_line(swarm, word):
    """Seconds that it tells, when it says that word."""
    while line := swarm.stdout.readline().decode():
        if line.startswith(word):
            return float(line.split()[-1]) if word == "connected" else 0
    raise RuntimeError("bench-agents ended")


def _one_step(machine, deployment, tokens):
    before = resident_kib(deployment.server)
    path = machine.folder / "tokens"
    path.write_text("\n".join(tokens) + "\n")
    swarm = machine.start([machine.agents_program, deployment.url, path], stdout=-1)
    connect_s = _next_line(swarm, "connected")
    after = resident_kib(deployment.server)
    machine.stop(deployment.server)
    deployment.start_server()
    return_s = _next_line(swarm, "connected")
    machine.stop(swarm)
    return {"agents": len(tokens), "server_mib": after / 1024,
            "kib_each": (after - before) / len(tokens), "connect_s": connect_s,
            "return_s": return_s}


def measure(machine, options):
    counts = (100, 300) if options.quick else (1000, 10000)
    deployment = Deployment(machine, "agents",
                            options=("--max-connections-per-address", "16384"))
    deployment.start_agent()
    time.sleep(SETTLE_S)
    agent_mib = resident_kib(deployment.agent) / 1024
    machine.stop(deployment.agent)
    print(f"agents: creating {counts[-1]} workspaces", file=sys.stderr)
    tokens = _create(deployment, counts[-1])
    steps = []
    for count in counts:
        print(f"agents: {count}", file=sys.stderr)
        # A server that has held none yet, so that what it keeps counts.
        machine.stop(deployment.server)
        deployment.start_server()
        steps.append(_one_step(machine, deployment, tokens[:count]))
    machine.stop(deployment.server)
    return {"agent_mib": agent_mib, "steps": steps}
