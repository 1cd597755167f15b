"""Fixtures: the real programs, in fresh homes, on ports that the kernel picks.

Session-wide: `deployment` (a server and its administrator) and `workspace` (with an agent).
For one test alone: `own_deployment`, `own_workspace`, `make_deployment`, `cli`, `supervisor`, and
the servers that stand for people's programs: `tcp_server`, `tcp_echo`, `udp_echo`.
"""
import itertools
import os
import signal

import pytest

from harness import adit, net, process, wait

# Every process of this run, for the logs of a failing test.
ALL = []
TEST_LIMIT_S = 90


class TookTooLong(Exception):
    """A test passed its limit."""


def pytest_configure(config):
    def end(_number, _frame):
        pytest.exit("ended from outside", returncode=3)
    signal.signal(signal.SIGTERM, end)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Ends a test that hangs, wherever it hangs."""
    marker = item.get_closest_marker("limit")
    limit = int((marker.args[0] if marker else TEST_LIMIT_S) * wait.SCALE)

    def too_long(_number, _frame):
        raise TookTooLong(f"the test took longer than {limit} s")
    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(limit)
    item.seen = [(each, each.position()) for each in ALL]
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failing test shows what each process wrote while it ran."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        seen = dict((id(each), position) for each, position in item.seen)
        for each in ALL:
            since = seen.get(id(each), 0)
            if each.position() > since:
                report.sections.append((f"{each.name} [{each.pid}]", each.tail(60, since)))


def close(supervisor):
    faults = supervisor.close()
    for each in supervisor.processes:
        if each in ALL and not faults:
            ALL.remove(each)
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session", autouse=True)
def program():
    assert os.access(adit.PROGRAM, os.X_OK), f"there is no program at {adit.PROGRAM}"
    return adit.PROGRAM


@pytest.fixture(scope="session")
def session_supervisor():
    supervisor = process.Supervisor(ALL.append)
    yield supervisor
    close(supervisor)


@pytest.fixture
def supervisor():
    """Starts processes that end with the test."""
    own = process.Supervisor(ALL.append)
    yield own
    close(own)


@pytest.fixture(scope="session")
def deployment(session_supervisor, tmp_path_factory):
    """A server that all tests share. Tests make users and workspaces of their own on it."""
    shared = adit.Deployment(session_supervisor, tmp_path_factory.mktemp("deployment"))
    return shared.start().set_up()


@pytest.fixture(scope="session")
def workspace(deployment):
    """A workspace that all tests share. Tests leave its agent as it is."""
    return deployment.workspace()


@pytest.fixture
def make_deployment(supervisor, tmp_path):
    """Makes servers for this test alone: make_deployment(*options of the server)."""
    count = itertools.count(1)

    def make(*options, set_up=True):
        made = adit.Deployment(supervisor, tmp_path / f"deployment-{next(count)}", options).start()
        return made.set_up() if set_up else made
    return make


@pytest.fixture
def own_deployment(make_deployment):
    """A server for this test alone, which may stop and kill it."""
    return make_deployment()


@pytest.fixture
def own_workspace(own_deployment):
    """A workspace on it, with an agent that the test may stop and kill."""
    return own_deployment.workspace()


@pytest.fixture
def cli(supervisor, tmp_path):
    """A command line that is not logged in anywhere."""
    return adit.Cli(supervisor, tmp_path / "nobody")


@pytest.fixture
def person(deployment, supervisor):
    """A new user on the shared server, whose commands end with the test."""
    made = deployment.user()
    made.supervisor = supervisor
    return made


@pytest.fixture
def forward(workspace, supervisor):
    """Starts `adit port-forward` into the shared workspace: forward("--tcp", ...)."""
    def start(*args, target=None, **options):
        owner = (target or workspace).owner
        mine = adit.Cli(supervisor, owner.home, owner.name)
        return mine.forward((target or workspace).name, *args, **options)
    return start


@pytest.fixture
def tcp_server():
    """Makes TCP servers: tcp_server(handler, address)."""
    made = []

    def make(handle=net.echo, address=("127.0.0.1", 0)):
        made.append(net.TcpServer(handle, address))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture
def tcp_echo(tcp_server):
    return tcp_server()


@pytest.fixture
def udp_echo():
    server = net.UdpEcho()
    yield server
    server.close()
