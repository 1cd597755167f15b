"""Debian's SSH programs, set up by `adit config-ssh`, as a person runs them."""
import signal
import subprocess

from .adit import Result, clean_environment
from .net import COUNTER
from .process import SANITIZER
from .wait import SCALE


class Ssh:
    """One person's ssh, scp, ...: with a configuration file of its own, as what a test writes to
    it, or has set there for all hosts, is not the next one's."""

    def __init__(self, person, config=None, options=()):
        self.person = person
        self.config = config or person.home / f"ssh_config-{next(COUNTER)}"
        person.run("config-ssh", "--ssh-config-file", self.config, *options)

    def alias(self, workspace, agent=None):
        """What ssh calls the workspace."""
        owner = "" if workspace.owner.name == self.person.name else f"{workspace.owner.name}--"
        return f"adit.{owner}{workspace.name}" + (f".{agent}" if agent else "")

    def argv(self, program, *args):
        return [program, "-F", str(self.config), *map(str, args)]

    def environment(self, **more):
        return clean_environment(self.person.home, GIT_SSH_COMMAND=f"ssh -F '{self.config}'",
                                 RSYNC_RSH=f"ssh -F {self.config}", **more)

    def run_any(self, *argv, code=0, stdin=b"", timeout=60, binary=False, env=None, cwd=None):
        """Runs any program to its end."""
        argv = list(map(str, argv))
        done = subprocess.run(argv, input=stdin.encode() if isinstance(stdin, str) else stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              timeout=timeout * SCALE, cwd=cwd or self.person.home,
                              env=self.environment(**(env or {})))
        out = done.stdout if binary else done.stdout.decode(errors="replace")
        result = Result(argv, done.returncode, out, done.stderr.decode(errors="replace"))
        assert not SANITIZER.search(result.err), result.err
        assert code is None or result.code == code, (
            f"exit code {code} expected, not {result.code}: {' '.join(argv)}\n{result.err}")
        return result

    def run(self, program, *args, **options):
        """Runs one of OpenSSH's programs to its end."""
        return self.run_any(*self.argv(program, *args), **options)

    def start(self, supervisor, *args, good_codes=(0, 255, -signal.SIGKILL), env=None):
        """Starts ssh, which goes on until it is stopped: by SIGKILL, as it may miss others (see
        ssh_forward.py)."""
        return supervisor.start("ssh", self.argv("ssh", *args), cwd=self.person.home,
                                good_codes=good_codes, stop_signal=signal.SIGKILL,
                                env=self.environment(**(env or {})))
