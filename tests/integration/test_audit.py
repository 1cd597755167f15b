"""The audit record as `adit audit` shows it."""
import csv
import io

from harness import net
from harness.wait import until

HOST = "127.0.0.1"


def events(person, *filters):
    return person.run("audit", *filters, "--output", "json").json()


def test_a_session_is_on_record_for_its_people_only(workspace, deployment, forward, tcp_echo):
    auditor, stranger = deployment.user(role="auditor"), deployment.user()
    port = net.free_port()
    running = forward("--tcp", f"{port}:{tcp_echo.port}")
    assert net.exchange((HOST, port), b"on record") == b"on record"
    running.stop()

    owner = workspace.owner
    name = f"{owner.name}/{workspace.name}"
    closed = until(lambda: events(owner, "--action", "peer_close", "--workspace", workspace.name),
                   "the end of the session is on record")[0]
    assert (closed["actor"], closed["workspace"], closed["result"]) == (owner.name, name, "ok")
    assert closed["bytes_in"] > 0 and closed["bytes_out"] > 0 and closed["path"] == "relay"

    assert closed in events(auditor, "--workspace", name)
    assert events(stranger, "--workspace", name) == []
    assert {each["actor"] for each in events(stranger)} == {stranger.name}


def test_the_record_is_a_table_or_csv(person):
    table = person.run("audit", "--action", "login", "--since", "1h").out.splitlines()
    assert table[0].split()[:4] == ["TIME", "(UTC)", "PERSON", "ACTION"]
    assert table[1].split()[2:4] == [person.name, "login"]
    rows = list(csv.DictReader(io.StringIO(
        person.run("audit", "--action", "login", "-o", "csv").out)))
    assert rows and {row["actor"] for row in rows} == {person.name}
    nothing = person.run("audit", "--until", "2001-01-01")
    assert len(nothing.out.splitlines()) == 1 and "nothing on record" in nothing.err


def test_the_newest_come_first_and_a_limit_is_told(workspace):
    few = workspace.owner.run("audit", "--limit", "1", "-o", "json")
    assert len(few.json()) == 1 and "there is more" in few.err
    times = [each["time"] for each in events(workspace.owner)]
    assert times == sorted(times, reverse=True)
