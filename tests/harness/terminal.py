"""Programs on a terminal, as a person sees them."""
import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import time

from .adit import PROGRAM, clean_environment
from .wait import SCALE


class Terminal:
    """A program in a person's home, by default adit, on a terminal of its own."""

    def __init__(self, cli, *args, rows=24, columns=80, program=PROGRAM, env=None):
        self.master, slave = os.openpty()
        self.resize(rows, columns, tell=False)
        environment = clean_environment(cli.home, TERM="xterm", **(env or {}))
        self.seen = b""
        self.at = 0  # of what has been seen, the part that was waited for
        self.popen = subprocess.Popen([program, *map(str, args)], stdin=slave, stdout=slave,
                                      stderr=slave, env=environment, cwd=cli.home,
                                      start_new_session=True,
                                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)

    def resize(self, rows, columns, tell=True):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.popen.send_signal(signal.SIGWINCH)

    def wait(self, text, timeout=10):
        """Until this has come, behind what was waited for before."""
        end = time.monotonic() + timeout * SCALE
        while (found := self.seen.find(text, self.at)) < 0:
            missing = f"no {text!r} in {self.seen[self.at:].decode()!r}"
            assert time.monotonic() < end, missing
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError as error:  # the program has ended
                    raise AssertionError(missing) from error
        self.at = found + len(text)

    def type(self, text):
        os.write(self.master, text)

    def end(self, timeout=10):
        while True:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            self.seen += piece
        os.close(self.master)
        return self.popen.wait(timeout=timeout * SCALE)
