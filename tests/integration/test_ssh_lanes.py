"""SSH that moves much goes past the session: on a bulk lane, relayed or direct."""
import hashlib
import os
import subprocess

import pytest
import requests

from harness.adit import PROGRAM, clean_environment
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
