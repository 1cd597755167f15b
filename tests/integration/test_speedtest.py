"""adit speedtest: both directions over the way that a forward takes, under the same rules."""
import pytest

from harness.adit import Cli
from harness.wait import until


@pytest.fixture
def mine(own_workspace, supervisor):
    return Cli(supervisor, own_workspace.owner.home, own_workspace.owner.name)


def recorded(workspace, action="forward_close"):
    return workspace.owner.run("audit", "--action", action, "--output", "json").json()


def on_record(workspace):
    return [event for event in recorded(workspace) if event["target"] == "speedtest"]


@pytest.mark.parametrize("path", ["direct", "relayed"])
def test_both_directions_are_measured(path, own_workspace, mine):
    way = ["--no-direct"] if path == "relayed" else []
    found = mine.run("speedtest", own_workspace.name, "-t", "1", *way, "--output", "json").json()
    assert found["path"] == path and (found["address"] is not None) == (path == "direct")
    assert found["lane"]
    for direction in ("down", "up"):
        measured = found[direction]
        assert measured["bytes"] > 1 << 20 and 0.9 < measured["seconds"] < 10
        assert measured["bytes_per_second"] == pytest.approx(
            measured["bytes"] / measured["seconds"], rel=0.01)
    until(lambda: len(on_record(own_workspace)) == 2, "both on record")
    down, up = sorted(on_record(own_workspace), key=lambda event: event["time"])
    assert down["bytes_in"] == 0 and down["bytes_out"] >= found["down"]["bytes"]
    assert up["bytes_in"] == found["up"]["bytes"] and up["bytes_out"] == 0
    assert {down["path"], up["path"]} == {"relay" if path == "relayed" else "direct"}


def test_people_read_a_line_a_direction(own_workspace, mine):
    lines = mine.run("speedtest", own_workspace.name, "--time", "1").out.splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"{own_workspace.name}: direct ")
    assert lines[1].startswith("down ") and lines[2].startswith("up ")
    assert "Mbit/s" in lines[1]


def test_it_takes_the_right_to_forward(own_deployment, mine):
    template = own_deployment.root / "closed.yaml"
    template.write_text("forwarding:\n  local: false\n")
    own_deployment.admin.run("templates", "push", "closed", template)
    workspace = own_deployment.workspace(template="closed")
    done = mine.run("speedtest", workspace.name, "-t", "1", code=3)
    assert "forwarding.local is off" in done.err
    own_deployment.user().run("speedtest", f"admin/{workspace.name}", code=1)


def test_an_agent_that_is_away(own_deployment, mine):
    workspace = own_deployment.workspace(agent=False)
    done = mine.run("speedtest", workspace.name, code=4, timeout=60)
    assert "not connected" in done.err


def test_a_signal_ends_it(own_workspace, mine):
    running = mine.start("speedtest", own_workspace.name, "-t", "60")
    until(lambda: recorded(own_workspace, "peer_open"), "its session")
    assert running.stop() == []
    until(lambda: recorded(own_workspace, "peer_close"), "the end of its session")
