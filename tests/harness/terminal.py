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
        end = time.monotonic() + timeout * SCALE
        mark = len(self.seen)
        while text not in self.seen[mark - len(text) if mark > len(text) else 0:]:
            assert time.monotonic() < end, f"no {text!r} in {self.seen.decode()!r}"
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:
                    break
        assert text in self.seen, self.seen.decode()

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
