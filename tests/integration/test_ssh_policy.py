"""What a template allows over SSH: each kind of forward under each rule, with the stock client."""
import itertools
import json
import re
import subprocess
import time
from dataclasses import dataclass

import pytest

from harness import net
from harness.adit import PROGRAM, clean_environment
from harness.ssh_forward import SshForwards, socks
from harness.wait import SCALE, until

HOST = "127.0.0.1"
PROHIBITED = "administratively prohibited"
REMOTE_REFUSED = "remote port forwarding failed"


@pytest.fixture
def site(deployment, supervisor):
    """Makes workspaces under a forwarding policy of their own: site(local=False, ...)."""
    def make(**policy):
        template = deployment.unique("policy")
        push(deployment, template, **policy)
        made = SshForwards(deployment.workspace(template=template), supervisor)
        made.template = template
        return made
    return make


def push(deployment, template, **policy):
    deployment.admin.run("templates", "push", template, "-",
                         stdin="forwarding: " + json.dumps(policy) + "\n")


def refusals(workspace, action):
    """(target, rule) of what was refused, as it is on record."""
    events = workspace.owner.run("audit", "--workspace", workspace.name, "--action", action,
                                 "--output", "json").json()
    return {(each["target"], each["detail"]) for each in events if each["result"] == "forbidden"}


def wait_refused(ssh, action, target, rule):
    until(lambda: (target, rule) in refusals(ssh.workspace, action),
          f"{target} is on record as refused by {rule}")


# ---- the table ----

BOTH = 'over SSH, Unix sockets need both directions and "*:*" in forwarding.permit_open'
OPEN, LISTEN = "ssh_forward_open", "ssh_listen_open"


@dataclass
class Way:
    """One kind of forward, tried: what it comes to is None, or the rule that was named."""

    name: str
    action: str  # as which a refusal is on record
    target: str  # likewise
    comes_to: str = None


def echoes(address):
    try:
        return net.exchange(address, b"hello") == b"hello"
    except (ConnectionResetError, FileNotFoundError):
        return False


def judge(running, way, works):
    """Puts down what it comes to: it works, or the person is told the rule, never both."""
    told = rf"the workspace's template does not allow (?:a listener on )?{re.escape(way.target)} \("

    def rule():
        found = re.search(told + r"(.*)\)$", running.text("err"), re.MULTILINE)
        return found and found[1]
    if not works:
        way.comes_to = until(rule, f"{way.name}: the rule is named", 5)
    else:
        assert not rule(), way.name


def tries_local(ssh, tcp_server):
    """-L, -D and -W, each to a server of its own."""
    servers = [tcp_server() for _ in range(3)]
    ways = [Way(name, OPEN, f"{HOST}:{server.port}")
            for name, server in zip(("-L", "-D", "-W"), servers)]
    plain = net.free_range(2)
    running = ssh.start("-N", "-L", f"{plain}:{ways[0].target}", "-D", str(plain + 1))
    until(lambda: net.listens(plain) and net.listens(plain + 1), "the listeners are there", 20)
    judge(running, ways[0], echoes((HOST, plain)))
    try:
        through = socks(plain + 1, 5, HOST, servers[1].port, b"hello") == b"hello"
    except ConnectionResetError:
        through = False
    judge(running, ways[1], through)
    running.stop()
    running = ssh.start("-W", ways[2].target)
    running.write(b"hello")
    running.close_stdin()
    code = running.wait_exit(20)
    works = running.text("out") == "hello"
    assert works == (code == 0) == (PROHIBITED not in running.text("err"))
    judge(running, ways[2], works)
    return ways


def tries_remote(ssh, echo):
    """-R to any port, which has to lead back."""
    way = Way("-R", LISTEN, "localhost:0")
    running = ssh.start("-N", "-R", f"0:{HOST}:{echo.port}")
    answer = running.wait_line(rf"Allocated port (\d+) |{REMOTE_REFUSED}", 20, stream="err")
    assert not answer[1] or echoes((HOST, int(answer[1])))
    judge(running, way, answer[1])
    running.stop()
    return [way]


def tries_unix(ssh, echo, folder, tcp_server):
    """A socket there that is reached from here, and one that is made there."""
    served, bound = str(folder / "served"), str(folder / "bound")
    ways = [Way("Unix -L", OPEN, served), Way("Unix -R", LISTEN, bound)]
    tcp_server(net.echo, served)
    port = net.free_port()
    running = ssh.start("-N", "-v", "-L", f"{port}:{served}", "-R", f"{bound}:{HOST}:{echo.port}")
    running.wait_line(f"remote forward (success|failure) for: listen {re.escape(bound)}", 20,
                      stream="err")
    judge(running, ways[0], echoes((HOST, port)))
    judge(running, ways[1], echoes(bound))
    running.stop()
    return ways


def hold(ssh, ways, expected):
    """What they came to, and that each refusal is on record with the same rule."""
    assert {way.name: way.comes_to for way in ways} == expected
    for way in ways:
        if way.comes_to:
            wait_refused(ssh, way.action, way.target, way.comes_to)
    recorded = refusals(ssh.workspace, OPEN) | refusals(ssh.workspace, LISTEN)
    assert recorded == {(way.target, way.comes_to) for way in ways if way.comes_to}


@pytest.mark.parametrize("local,remote", itertools.product([True, False], repeat=2))
def test_each_kind_of_forward_follows_its_switch(site, tmp_path, tcp_echo, tcp_server, local,
                                                 remote):
    ssh = site(local=local, remote=remote)
    no_local = None if local else "forwarding.local is off"
    no_remote = None if remote else "forwarding.remote is off"
    both = None if local and remote else BOTH
    ways = [*tries_local(ssh, tcp_server), *tries_remote(ssh, tcp_echo),
            *tries_unix(ssh, tcp_echo, tmp_path, tcp_server)]
    hold(ssh, ways, {"-L": no_local, "-D": no_local, "-W": no_local, "-R": no_remote,
                     "Unix -L": no_local or both, "Unix -R": no_remote or both})
    assert ssh.run("echo here; exit 7", code=7).out == "here\n"


def test_the_rule_behind_a_refused_stdio_forward_is_told_before_all_ends(site):
    ssh = site(local=False)
    for _ in range(5):
        assert "forwarding.local is off" in ssh.run("-W", f"{HOST}:9", code=255).err


def test_unix_sockets_have_a_switch_of_their_own(site, tmp_path, tcp_echo, tcp_server):
    ssh = site(unix_sockets=False)
    off = "forwarding.unix_sockets is off"
    ways = [*tries_unix(ssh, tcp_echo, tmp_path, tcp_server), *tries_remote(ssh, tcp_echo),
            *tries_local(ssh, tcp_server)]
    hold(ssh, ways, {"Unix -L": off, "Unix -R": off, "-R": None, "-L": None, "-D": None,
                     "-W": None})


@pytest.mark.parametrize("targets,rule", [(["localhost:*"], BOTH), (["*:*"], None)])
def test_a_list_of_targets_turns_unix_sockets_off(site, tmp_path, tcp_echo, tcp_server, targets,
                                                  rule):
    ssh = site(permit_open=targets, permit_listen=["localhost:1"])
    hold(ssh, tries_unix(ssh, tcp_echo, tmp_path, tcp_server), {"Unix -L": rule, "Unix -R": rule})


# ---- lists of targets ----

def opens(ssh, host, port):
    """Whether sshd would connect there; whether something listens does not matter."""
    result = ssh.run("-W", f"{host}:{port}", code=None)
    assert result.code == 0 or PROHIBITED in result.err or "Connection refused" in result.err
    return PROHIBITED not in result.err


@pytest.mark.parametrize("rules,yes,no", [
    (["localhost:7001"], ["localhost:7001", "127.0.0.1:7001", "[::1]:7001"],
     ["localhost:7002", "127.0.0.2:7001"]),
    (["127.0.0.1:*"], ["127.0.0.1:7001", "127.0.0.1:9"], ["localhost:7001", "[::1]:7001"]),
    (["*:7001"], ["localhost:7001", "127.0.0.2:7001"], ["localhost:7002"]),
    (["localhost:7001-7003"], ["localhost:7001", "[::1]:7003"],
     ["localhost:7000", "127.0.0.1:7004"]),
    (["127.0.0.2:7001", "localhost:7005"], ["127.0.0.2:7001", "127.0.0.1:7005"],
     ["127.0.0.2:7005"]),
    (["*:*"], ["localhost:7001", "127.0.0.2:7009"], []),
    ([], [], ["localhost:7001"]),
])
def test_permit_open_is_kept_exactly(site, rules, yes, no):
    ssh = site(permit_open=rules)
    for target in yes + no:
        assert opens(ssh, *target.rsplit(":", 1)) == (target in yes), target
    for target in no:
        wait_refused(ssh, "ssh_forward_open", target, "forwarding.permit_open")


@pytest.mark.parametrize("rule", ["local*:*", "localhost:1-65535"])
def test_a_rule_that_sshd_cannot_say_is_told_and_refused(site, rule):
    ssh = site(permit_open=[rule, "127.0.0.2:*"])
    result = ssh.run("-W", "localhost:7001", code=255)
    assert f'"{rule}"' in result.err and "forwarding.permit_open" in result.err
    assert "adit port-forward" in result.err and PROHIBITED in result.err
    wait_refused(ssh, "ssh_forward_open", "localhost:7001",
                 "a rule that SSH cannot enforce: use adit port-forward")
    assert opens(ssh, "127.0.0.2", 7001)  # this one it can say
    session = ssh.run("echo here; exit 7", code=7)
    assert session.out == "here\n" and f'"{rule}"' in session.err


# ---- lists of listeners ----

def binds(ssh, spec, target):
    result = ssh.run("-o", "ExitOnForwardFailure=yes", "-R", f"{spec}:{HOST}:{target}", "true",
                     code=None)
    assert result.code == 0 or REMOTE_REFUSED in result.err, str(result)
    # ssh ends before its sshd has, and the next one may want the same port.
    port = int(spec.rsplit(":", 1)[-1])
    until(lambda: not port or not net.has_listener(port), f"{port} is free again")
    return result.code == 0


@pytest.mark.parametrize("rules,yes,no", [
    (["localhost:{0}"], ["{0}", "localhost:{0}", "127.0.0.1:{0}", "[::1]:{0}"], ["{1}", "0"]),
    (["localhost:*"], ["0", "{0}", "127.0.0.1:0", "[::1]:0"], ["*:{0}", "127.0.0.2:{0}"]),
    (["localhost:{0}-{2}"], ["{0}", "127.0.0.1:{2}"], ["{3}", "0"]),
    (["127.0.0.1:*"], ["127.0.0.1:0", "127.0.0.1:{0}"], ["{0}", "[::1]:{0}"]),
    (["127.*:*"], ["127.0.0.1:0"], ["{0}"]),
    (["*:{0}"], ["{0}", "127.0.0.1:{0}"], ["*:{0}", "0.0.0.0:{0}", "{1}"]),
    ([], [], ["{0}", "0"]),
])
def test_permit_listen_is_kept_exactly(site, tcp_echo, rules, yes, no):
    first = net.free_range(4)
    ports = [first + i for i in range(4)]
    ssh = site(permit_listen=[rule.format(*ports) for rule in rules])
    for spec in yes + no:
        assert binds(ssh, spec.format(*ports), tcp_echo.port) == (spec in yes), spec
    plain = [spec for spec in no if spec == "{1}"]
    for spec in plain:
        wait_refused(ssh, "ssh_listen_open", f"localhost:{ports[1]}", "forwarding.permit_listen")


@pytest.mark.parametrize("rules,yes,no", [
    (["*:{0}"], ["*:{0}", "0.0.0.0:{0}", "{0}", "127.0.0.2:{0}"], ["*:{1}", "0"]),
    (["localhost:*", "0.0.0.0:{1}"], ["{0}", "0.0.0.0:{1}"], ["0.0.0.0:{0}", "127.0.0.2:{0}"]),
    (["*:*"], ["*:0", "[::]:0", "127.0.0.2:0", "0"], []),
])
def test_with_public_listening_other_addresses_are_a_matter_of_the_list(site, tcp_echo, rules,
                                                                        yes, no):
    first = net.free_range(2)
    ports = [first, first + 1]
    ssh = site(public_listen=True, permit_listen=[rule.format(*ports) for rule in rules])
    for spec in yes + no:
        assert binds(ssh, spec.format(*ports), tcp_echo.port) == (spec in yes), spec


def test_public_listening_that_is_off_is_the_rule_that_is_named(site, tcp_echo):
    ssh = site(permit_listen=["*:*"])
    port = net.free_port()
    running = ssh.start("-N", "-R", f"*:{port}:{HOST}:{tcp_echo.port}")
    running.wait_line(re.escape(f"does not allow a listener on *:{port} "
                                "(forwarding.public_listen is off)"), timeout=20, stream="err")
    running.stop()
    wait_refused(ssh, "ssh_listen_open", f"*:{port}", "forwarding.public_listen is off")


def test_a_listening_rule_that_sshd_cannot_say_is_told(site, tcp_echo):
    ssh = site(public_listen=True, permit_listen=["127.*:*"])
    assert not binds(ssh, "127.0.0.2:0", tcp_echo.port)
    assert '"127.*:*"' in ssh.run("true").err


def test_agent_forwarding_has_a_switch(site):
    assert ssh_agent_there(site(agent_forwarding=True))
    assert not ssh_agent_there(site(agent_forwarding=False))


def ssh_agent_there(ssh):
    home = ssh.workspace.owner.home
    run = subprocess.run(["ssh-agent", PROGRAM, "ssh", ssh.workspace.name, "-A",
                          "echo agent=$SSH_AUTH_SOCK"], cwd=home, env=clean_environment(home),
                         stdout=subprocess.PIPE, timeout=20 * SCALE, check=True)
    return b"agent=/" in run.stdout


# ---- changes ----

def test_a_change_that_takes_nothing_away_ends_nothing(site, deployment, tcp_echo):
    narrow = {"permit_open": ["localhost:7001"], "agent_forwarding": False}
    ssh = site(**narrow)
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    push(deployment, ssh.template, permit_open=["localhost:7000-7005"], agent_forwarding=True)
    until(lambda: opens(ssh, "localhost", 7002), "the new policy counts", 5)
    wider = ssh.forward()
    push(deployment, ssh.template, **narrow)
    # This one loses something; by then the other would have ended as well, at either change.
    assert wider.wait_exit(5) == 255
    assert net.exchange((HOST, port), b"goes on") == b"goes on"
    assert running.running
    running.stop()


# Everything that a policy can take away, each by itself: what was, and what is new. Where a switch
# goes, the lists are empty, so that nothing else says that something is missing.
LESS = {
    "local": ({"permit_open": []}, {"local": False}),
    "remote": ({"permit_listen": [], "unix_sockets": False}, {"remote": False}),
    "permit_open": ({"permit_open": ["a:1", "b:2"]}, {"permit_open": ["a:1", "b:3"]}),
    "permit_listen": ({}, {"permit_listen": ["localhost:1"]}),
    "public_listen": ({"public_listen": True, "permit_listen": []}, {"public_listen": False}),
    "unix_sockets": ({"permit_listen": []}, {"unix_sockets": False}),
    "agent_forwarding": ({"permit_listen": []}, {"agent_forwarding": False}),
}


@pytest.mark.parametrize("what", LESS)
def test_a_change_that_takes_something_away_ends_the_connection(site, deployment, what):
    before, less = LESS[what]
    ssh = site(**before)
    running = ssh.start("-tt", "echo ready; sleep 1000")
    running.wait_line("ready", timeout=20)
    began = time.monotonic()
    push(deployment, ssh.template, **{**before, **less})
    assert running.wait_exit(5) == 255
    assert time.monotonic() - began < 2 * SCALE
    running.wait_line("the forwarding rules of this workspace have changed", stream="out")
    assert ssh.run("exit 7", code=7)


def test_remote_that_goes_takes_the_listener_along(site, deployment, tcp_echo):
    ssh = site()
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    began = time.monotonic()
    push(deployment, ssh.template, remote=False)
    until(lambda: not net.listens(port), "the listener is gone", 5)
    assert time.monotonic() - began < 2 * SCALE
    assert running.wait_exit(5) == 255
    running.wait_line("the forwarding rules of this workspace have changed", stream="err")
    assert not binds(ssh, f"{port}", tcp_echo.port)


def test_a_workspace_that_is_taken_away_ends_its_connections(site, tcp_echo):
    ssh = site()
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    began = time.monotonic()
    ssh.workspace.owner.run("delete", ssh.workspace.name, "--yes")
    until(lambda: not net.listens(port), "the listener is gone", 5)
    assert time.monotonic() - began < 2 * SCALE
    assert running.wait_exit(10) == 255
