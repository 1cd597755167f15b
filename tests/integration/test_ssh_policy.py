"""What a template allows over SSH: each kind of forward under each rule, with the stock client."""
import itertools
import json
import re
import subprocess
import time

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

def tries_local(ssh, echo):
    """-L, -D and -W: what came back of each."""
    plain = net.free_range(2)
    dynamic = plain + 1
    running = ssh.start("-N", "-L", f"{plain}:{HOST}:{echo.port}", "-D", str(dynamic))
    until(lambda: net.listens(plain) and net.listens(dynamic), "the listeners are there", 20)
    results = {}
    try:
        results["-L"] = net.exchange((HOST, plain), b"hello") == b"hello"
    except ConnectionResetError:
        results["-L"] = False
    try:
        results["-D"] = socks(dynamic, 5, HOST, echo.port, b"hello") == b"hello"
    except ConnectionResetError:
        results["-D"] = False
    if not results["-L"]:
        running.wait_line(re.escape(f"the workspace's template does not allow {HOST}:{echo.port} "
                                    "(forwarding."), stream="err")
    running.stop()
    direct = ssh.run("-W", f"{HOST}:{echo.port}", stdin="hello", code=None)
    results["-W"] = direct.out == "hello"
    if not results["-W"]:
        assert PROHIBITED in direct.err
    return results


def tries_remote(ssh, echo):
    asked = ssh.run("-o", "ExitOnForwardFailure=yes", "-R", f"0:{HOST}:{echo.port}", "true",
                    code=None)
    assert asked.code == 0 or REMOTE_REFUSED in asked.err
    return {"-R": asked.code == 0}


def tries_unix(ssh, echo, folder, tcp_server):
    """Unix sockets, both directions: they are on or off together."""
    served = str(folder / "served")
    tcp_server(net.echo, served)
    port, bound = net.free_port(), str(folder / "bound")
    running = ssh.start("-N", "-L", f"{port}:{served}", "-R", f"{bound}:{HOST}:{echo.port}")
    until(lambda: net.listens(port), "the listener is there", 20)
    try:
        local = net.exchange((HOST, port), b"hello") == b"hello"
    except ConnectionResetError:
        local = False
    try:
        remote = net.exchange(bound, b"hello") == b"hello"
    except FileNotFoundError:
        remote = False
    running.stop()
    assert local == remote
    return {"Unix": local}


@pytest.mark.parametrize("local,remote", itertools.product([True, False], repeat=2))
def test_each_kind_of_forward_follows_its_switch(site, tmp_path, tcp_echo, tcp_server, local,
                                                 remote):
    ssh = site(local=local, remote=remote)
    results = {**tries_local(ssh, tcp_echo), **tries_remote(ssh, tcp_echo),
               **tries_unix(ssh, tcp_echo, tmp_path, tcp_server)}
    assert results == {"-L": local, "-D": local, "-W": local, "-R": remote,
                       "Unix": local and remote}
    assert ssh.run("echo here; exit 7", code=7).out == "here\n"
    if not local:
        wait_refused(ssh, "ssh_forward_open", f"{HOST}:{tcp_echo.port}", "forwarding.local is off")
    if not remote:
        wait_refused(ssh, "ssh_listen_open", "localhost:0", "forwarding.remote is off")


def test_unix_sockets_have_a_switch_of_their_own(site, tmp_path, tcp_echo, tcp_server):
    ssh = site(unix_sockets=False)
    assert tries_unix(ssh, tcp_echo, tmp_path, tcp_server) == {"Unix": False}
    assert tries_remote(ssh, tcp_echo) == {"-R": True}
    wait_refused(ssh, "ssh_listen_open", str(tmp_path / "bound"),
                 "forwarding.unix_sockets is off")


@pytest.mark.parametrize("targets,works", [(["localhost:*"], False), (["*:*"], True)])
def test_a_list_of_targets_turns_unix_sockets_off(site, tmp_path, tcp_echo, tcp_server, targets,
                                                  works):
    ssh = site(permit_open=targets, permit_listen=["localhost:1"])
    assert tries_unix(ssh, tcp_echo, tmp_path, tcp_server) == {"Unix": works}
    if not works:
        wait_refused(ssh, "ssh_listen_open", str(tmp_path / "bound"), "over SSH, Unix sockets need "
                     'both directions and "*:*" in forwarding.permit_open')


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
    ssh = site(permit_open=["localhost:7001"], agent_forwarding=False)
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    push(deployment, ssh.template, permit_open=["localhost:7000-7005"], agent_forwarding=True)
    # The new grant is there when a new connection can do more.
    until(lambda: opens(ssh, "localhost", 7002), "the new policy counts", 5)
    assert net.exchange((HOST, port), b"goes on") == b"goes on"
    assert running.running
    running.stop()


def test_a_change_that_takes_something_away_ends_the_connection(site, deployment, tcp_echo):
    ssh = site()
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    shell_there = ssh.start("-tt", "echo ready; sleep 1000")
    shell_there.wait_line("ready", timeout=20)
    began = time.monotonic()
    push(deployment, ssh.template, remote=False)
    until(lambda: not net.listens(port), "the listener is gone", 5)
    assert time.monotonic() - began < 2 * SCALE
    changed = "the forwarding rules of this workspace have changed"
    assert running.wait_exit(5) == 255
    running.wait_line(changed, stream="err")
    shell_there.wait_line(changed, timeout=5)
    assert shell_there.wait_exit(5) == 255
    assert ssh.run("exit 7", code=7)


def test_a_workspace_that_is_taken_away_ends_its_connections(site, tcp_echo):
    ssh = site()
    port = net.free_port()
    running = ssh.forward("-R", f"{port}:{HOST}:{tcp_echo.port}")
    began = time.monotonic()
    ssh.workspace.owner.run("delete", ssh.workspace.name, "--yes")
    until(lambda: not net.listens(port), "the listener is gone", 5)
    assert time.monotonic() - began < 2 * SCALE
    assert running.wait_exit(10) == 255
