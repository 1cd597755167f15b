"""Bulk lanes: a heavy connection goes on in one of its own, and nobody notices but by the speed."""
import hashlib
import os
import socket
import threading

import pytest
import requests

from harness import net
from harness.adit import Cli
from harness.wait import SCALE, until

GIB = 1 << 30 if SCALE == 1 else 1 << 28
BULK = 64 << 20


def metrics(deployment):
    """Every number of /metrics that has no labels."""
    text = requests.get(deployment.url + "/metrics", timeout=20, verify=False).text
    return {line.split()[0]: float(line.split()[1]) for line in text.splitlines()
            if line and not line.startswith("#") and "{" not in line.split()[0]}


@pytest.fixture
def mine(own_workspace, supervisor):
    return Cli(supervisor, own_workspace.owner.home, own_workspace.owner.name)


def connect(forward):
    return socket.create_connection(("127.0.0.1", forward.ports[0]), timeout=60)


def test_a_heavy_download_moves_to_a_lane(own_workspace, mine, tcp_server):
    source = net.Source(GIB)
    target = tcp_server(source)
    forward = mine.forward(own_workspace.name, "--tcp", f"{net.free_port()}:{target.port}")
    with connect(forward) as connection:
        assert net.read_digest(connection) == (GIB, source.sha256)
    forward.wait_event("lane", connection=1)
    closed = forward.wait_event("connection_closed")
    assert closed["received"] == GIB and "result" not in closed
    until(lambda: metrics(own_workspace.deployment)["adit_lanes"] == 0, "the lane's end")
    seen = metrics(own_workspace.deployment)
    assert seen["adit_lanes_opened_total"] == 1
    assert seen["adit_lane_bytes_total"] > GIB * 9 // 10
