"""SSH on bulk lanes, relayed or direct: from the start where the agent is near, whose sshd then has
the lane's socket for itself, otherwise when much passes."""
import hashlib
import os
import subprocess
import time

import pytest
import requests

from harness import net
from harness.adit import PROGRAM, clean_environment
from harness.ssh_forward import SshForwards
from harness.wait import SCALE, until

SIZE = (128 << 20) if SCALE == 1 else (32 << 20)


def metric(deployment, name):
    text = requests.get(deployment.url + "/metrics", timeout=20, verify=False).text
    return float(next(line.split()[1] for line in text.splitlines()
                      if line.startswith(name + " ")))


@pytest.mark.parametrize("path", ["relayed", "direct"])
def test_much_data_takes_a_lane(own_deployment, path, tmp_path):
    workspace = own_deployment.workspace(agent=False)
    workspace.start_agent(*(["--no-direct"] if path == "relayed" else []))
    data = os.urandom(1 << 20) * (SIZE >> 20)
    there = tmp_path / "there"
    owner = workspace.owner

    def ssh(*command, stdin):
        return subprocess.run(
            [PROGRAM, "ssh", workspace.name, *command], input=stdin, stdout=subprocess.PIPE,
            env=clean_environment(owner.home), cwd=owner.home, timeout=60 * SCALE,
            check=True).stdout
    ssh("cat", ">", there, stdin=data)
    assert hashlib.sha256(there.read_bytes()).digest() == hashlib.sha256(data).digest()
    assert ssh("cat", there, stdin=b"") == data
    if path == "relayed":
        assert metric(own_deployment, "adit_lanes_opened_total") == 2
        until(lambda: metric(own_deployment, "adit_lane_bytes_total") > SIZE, "bytes on the lanes")
    else:
        assert metric(own_deployment, "adit_lanes_opened_total") == 0
        assert metric(own_deployment, "adit_relayed_bytes_total") < SIZE


@pytest.fixture(params=["relayed", "direct"])
def near(request, deployment):
    """A workspace whose agent is reached in this way."""
    workspace = deployment.workspace(agent=False)
    workspace.start_agent(*(["--no-direct"] if request.param == "relayed" else []))
    return workspace


def start_on_lane(workspace, supervisor, *options, command):
    """`adit ssh` whose sshd has the lane's own socket: not where this machine was too slow for an
    agent that is near."""
    ssh = SshForwards(workspace, supervisor)

    def started():
        running = ssh.start(*options, f"echo on $SSH_CONNECTION; {command}")
        if "UNKNOWN" not in running.wait_line(r"^on (\S+) ", timeout=20, stream="out")[1]:
            return running
        running.stop()
        return None
    return until(started, "sshd has the connection itself", 60)


def test_sshd_has_the_connection_itself_and_every_byte(near, supervisor):
    running = start_on_lane(near, supervisor, command="sha256sum")
    data = os.urandom(1 << 20) * 24
    running.write(data)
    running.close_stdin()
    assert running.wait_exit(60) == 0
    assert hashlib.sha256(data).hexdigest() in running.text("out")

    def bytes_on_record():
        closed = near.owner.run("audit", "--action", "ssh_close", "--workspace", near.name,
                                "--output", "json").json()
        return closed and closed[0]["bytes_in"]
    until(lambda: len(data) < (bytes_on_record() or 0) < 2 * len(data), "its bytes are on record")


def test_a_right_that_ends_cuts_what_sshd_has_for_itself(near, supervisor, tcp_echo):
    port = net.free_port()
    running = start_on_lane(near, supervisor, "-R",
                            f"{port}:127.0.0.1:{tcp_echo.port}", command="sleep 1000")
    until(lambda: net.listens(port), "the listener is there")
    began = time.monotonic()
    near.owner.run("delete", near.name, "--yes")
    until(lambda: not net.listens(port), "the listener is gone", 5)
    assert running.wait_exit(10) == 255
    assert time.monotonic() - began < 2 * SCALE


def test_a_killed_client_leaves_nothing_of_what_sshd_has(near, supervisor, tcp_echo):
    port = net.free_port()
    running = start_on_lane(near, supervisor, "-R",
                            f"{port}:127.0.0.1:{tcp_echo.port}", command="sleep 1000")
    until(lambda: net.listens(port), "the listener is there")
    running.kill()
    until(lambda: not net.listens(port), "the listener is gone", 1 * SCALE)
