"""OpenSSH's own regression scripts (Debian's openssh-tests) against a workspace's SSH service.

The scripts run as Debian ships them, with Debian's ssh, sftp and scp. They believe to test an sshd;
what they start in its place carries each connection through adit to a workspace
(harness/regress_sshd.py), as a user's ProxyCommand does. So it is the whole way that is tested:
client, server, agent, and the sshd with the agent's own configuration. What a script's sshd would
allow of TCP forwards, the workspace's template allows.

They use fixed ports, so each group has a network namespace of its own, with a deployment inside.
They mostly sleep, and run side by side; a test waits for its script.
"""
import concurrent.futures
import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import adit, process
from harness.wait import SCALE

REGRESS = Path("/usr/lib/openssh/regress")
STAND_IN = Path(__file__).parents[1] / "harness/regress_sshd.py"
CLONE_NEWNET = 0x40000000
LIMIT_S = 300
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
             "ssh-rsa", "ssh-dss")

# The scripts, in the groups that share a deployment.
GROUPS = (
    ("multiplex",),
    ("forwarding",),
    ("forward-control",),
    ("dynamic-forward",),
    ("exit-status", "exit-status-signal", "transfer"),
    ("stderr-data", "stderr-after-eof", "yes-head", "connect", "proxy-connect"),
    ("scp", "scp3", "scp-uri", "sftp-uri"),
    ("sftp", "sftp-cmds", "sftp-badcmds", "sftp-batch", "sftp-glob"),
    ("rekey",),
)


def rekey(text):
    """Rekeying by volume, as the client asks for it. What comes afterwards waits for minutes or
    configures the server; and a name of a key exchange has no effect in these lines, so that one
    does for all."""
    text = text.split("\nfor s in 5 10; do")[0]
    for kind, name in (("kex", "curve25519-sha256"), ("cipher", "aes256-ctr"),
                       ("mac", "hmac-sha2-256")):
        text = text.replace(f"${{SSH}} -Q {kind}`", f"echo {name}`")
    return text


def multiplex(text):
    """The service takes LC_* from a client's environment, the scripts' own sshd _XXX_TEST. And of
    80 seconds it sleeps 65, in commands that close their output before they end."""
    text = text.replace("_XXX_TEST", "LC_XXX_TEST")
    text = text.replace("sleep 2; exec > /dev/null 2>&1; sleep 3;",
                        "sleep 0.5; exec > /dev/null 2>&1; sleep 0.5;")
    return text.replace('"sleep 10; exit 0"', '"sleep 3; exit 0"')


def forward_control(text):
    """It looks once a second whether its ssh has ended, which that does 82 times."""
    return text.replace("WAIT_SECONDS=20", "WAIT_SECONDS=200").replace("sleep 1\n", "sleep 0.1\n")


# Those of which the text is put differently.
CHANGES = {
    "multiplex": multiplex,
    "forward-control": forward_control,
    "rekey": rekey,
}
# Left out under the sanitizers, where test_ssh_policy.py has the same table.
SLOW = ("forward-control",)
# It asks for an sshd on pipes, which one that has a near client's socket is not.
ON_PIPES = ("proxy-connect",)
# They start an sftp-server of their own on the same machine, without ssh. Theirs is the service's.
OVER_THE_SERVICE = ("scp", "scp3", "scp-uri", "sftp", "sftp-cmds", "sftp-badcmds", "sftp-batch",
                    "sftp-glob")


def own_network():
    """A network namespace for this thread and the processes that it starts."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network namespace")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def end_group(process):
    """What a script has started, when it was left half way."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


@dataclass
class Outcome:
    code: int  # None: it took too long
    text: str


class Place:
    """A deployment with a workspace, and a folder in which scripts run."""

    def __init__(self, keys):
        # The scripts put Unix sockets below both, whose names may have 107 characters.
        self._folder = tempfile.TemporaryDirectory(prefix="adit-", dir="/tmp")
        root = Path(self._folder.name)
        self.supervisor = process.Supervisor()
        self.folder = root / "obj"
        self.temporary = root / "tmp"
        self.temporary.mkdir()
        shutil.copytree(keys, self.folder, symlinks=True)
        deployment = adit.Deployment(self.supervisor, root / "deployment").start().set_up()
        self.owner = deployment.admin
        self.owner.run("templates", "push", "policy", "-", stdin="forwarding: {}\n")
        # The scripts serve one connection with netcat, and the agent would ask what speaks there.
        deployment.workspace(name="regress", template="policy", agent=False)\
            .start_agent("--no-port-probe")
        self.environment = adit.clean_environment(
            self.owner.home, REGRESS_ADIT=adit.PROGRAM, REGRESS_WORKSPACE="regress",
            REGRESS_TEMPLATE="policy", REGRESS_POLICY=str(root / "policy"),
            TMPDIR=str(self.temporary))
        self._options()
        self._stand_ins()

    def _options(self):
        """What a client needs to know, for the scripts' ssh_config and by itself."""
        known = self.folder / "host_key"
        options = {"IdentityFile": self.owner.home / "config/adit/ssh_key",
                   "HostKeyAlias": "localhost-with-alias"}
        first = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={known}",
                 "-o", "StrictHostKeyChecking=accept-new",
                 "-o", f"ProxyCommand={adit.PROGRAM} ssh --stdio regress"]
        for name, value in options.items():
            first += ["-o", f"{name}={value}"]
        self._run([*first, "somehost", "true"], check=True, timeout=30 * SCALE)
        options["KnownHostsCommand"] = f"/bin/cat {known}"
        self.options = "\n".join(f"{name} {value}" for name, value in options.items())

    def _run(self, argv, **options):
        return subprocess.run(argv, env=self.environment, cwd=self.folder, **options)

    def _program(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)

    def _stand_ins(self):
        ssh = f"ssh -F {self.folder}/ssh_proxy -o LogLevel=ERROR somehost"
        self.sshd = self._program("sshd", f'exec /usr/bin/python3 {STAND_IN} "$@"\n')
        self.sftp_server = self._program("sftp-server", f"exec {ssh} -s sftp\n")
        # scp's scripts start the far scp on the same machine.
        self.scp = self._program(
            "scp", f'for each; do case $each in -t|-f) exec {ssh} scp "$@";; esac; done\n'
            'exec /usr/bin/scp "$@"\n')

    def run(self, name):
        script = REGRESS / f"{name}.sh"
        environment = dict(
            self.environment, TEST_SHELL="sh", TEST_SSH_SSHD=self.sshd,
            TEST_SSH_UNSAFE_PERMISSIONS="1", TEST_SSH_SSH_CONFOPTS=self.options,
            BUILDDIR=str(self.folder))
        environment["PATH"] += ":/usr/sbin:/sbin"
        if name in OVER_THE_SERVICE:
            environment.update(TEST_SSH_SFTPSERVER=self.sftp_server, TEST_SSH_SCP=self.scp)
        if name in ON_PIPES:
            environment["ADIT_NO_LANES"] = "1"
        if name in CHANGES:
            text = script.read_text()
            changed = CHANGES[name](text)
            assert changed != text
            script = self.folder / f"changed-{name}.sh"
            script.write_text(changed)
        with open(self.folder / "output", "w+", encoding="utf-8", errors="replace") as output:
            running = subprocess.Popen(
                ["sh", str(REGRESS / "test-exec.sh"), str(self.folder), str(script)],
                env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True)
            try:
                code = running.wait(LIMIT_S * SCALE)
            except subprocess.TimeoutExpired:
                code = None
            end_group(running)
            output.seek(0)
            return Outcome(code, output.read() + self._logs())

    def _logs(self):
        parts = []
        for name in ("regress", "ssh", "sshd"):
            log = self.folder / f"failed-{name}.log"
            if log.exists():
                parts.append(f"--- {log.name}\n{log.read_text(errors='replace')[-6000:]}")
                log.unlink()
        return "\n".join(parts)

    def close(self):
        self.supervisor.close()
        self._folder.cleanup()


def run_group(names, keys, outcomes):
    """Runs the scripts one after the other and keeps what came of each."""
    place = None
    try:
        own_network()
        place = Place(keys)
        for name in names:
            outcomes[name].set_result(place.run(name))
    except Exception as error:  # every test that waits is to see it
        for name in names:
            if not outcomes[name].done():
                outcomes[name].set_exception(error)
    finally:
        if place:
            place.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """A folder with what the scripts would make or look for each time: the programs that come with
    them, and keys, which they take if they are there."""
    folder = tmp_path_factory.mktemp("regress") / "keys"
    folder.mkdir()
    for each in REGRESS.iterdir():
        (folder / each.name).symlink_to(each)
    for name in KEY_TYPES:
        subprocess.run(["ssh-keygen", "-q", "-N", "", "-t", name, "-f", folder / name], check=True)
    config = (REGRESS / "config.h").read_text().replace("ENABLE_SK", "NO_SECURITY_KEYS")
    (folder / "config.h").unlink()
    (folder / "config.h").write_text(config)
    return folder


@pytest.fixture(scope="module")
def outcomes(request, keys):
    """A promise for each script that is among the tests to be run."""
    wanted = {item.callspec.params["name"] for item in request.session.items
              if item.function is test_script_passes}
    promised = {name: concurrent.futures.Future() for name in wanted}
    # A thread keeps its namespace: none does the work of two groups.
    with concurrent.futures.ThreadPoolExecutor(len(GROUPS)) as pool:
        for group in GROUPS:
            names = [name for name in group if name in wanted]
            if names:
                pool.submit(run_group, names, keys, promised)
        yield promised


@pytest.mark.limit(LIMIT_S + 30)
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for group in GROUPS for name in group])
def test_script_passes(outcomes, name):
    outcome = outcomes[name].result(timeout=(LIMIT_S + 20) * SCALE)
    assert outcome.code == 0, outcome.text
