"""Programs that a test starts: their output line by line, their end, and nothing left of them."""
import json
import os
import re
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from .wait import TooLate, deadline, until

SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")
# Marks every descendant of a supervisor, so that none is overlooked.
MARK = "TEST_SUPERVISOR"


@dataclass
class Line:
    when: float
    stream: str  # "out" or "err"
    text: str


class Process:
    """A running program. `lines` holds what it wrote so far, on both streams, in order."""

    def __init__(self, name, argv, env, cwd=None, stop_signal=signal.SIGTERM, good_codes=None):
        self.name = name
        self.argv = [str(arg) for arg in argv]
        self.lines = []
        self.stop_signal = stop_signal
        # The exit codes that are right after stop(); None: any.
        self.good_codes = good_codes
        self.killed = False
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            self.argv, env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True)
        self._readers = [
            threading.Thread(target=self._read, args=(stream, pipe), daemon=True)
            for stream, pipe in (("out", self._popen.stdout), ("err", self._popen.stderr))]
        for reader in self._readers:
            reader.start()

    def _read(self, stream, pipe):
        for raw in pipe:
            text = raw.decode(errors="replace").rstrip("\n")
            with self._changed:
                self.lines.append(Line(time.time(), stream, text))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    @property
    def pid(self):
        return self._popen.pid

    @property
    def running(self):
        return self._popen.poll() is None

    def write(self, data):
        """Gives bytes to its standard input."""
        self._popen.stdin.write(data)
        self._popen.stdin.flush()

    def close_stdin(self):
        self._popen.stdin.close()

    def text(self, stream=None, since=0):
        """Everything it wrote, or what it wrote to "out" or "err"."""
        with self._changed:
            lines = [line.text for line in self.lines[since:] if stream in (None, line.stream)]
        return "\n".join(lines)

    def position(self):
        """How many lines there are; to be passed as `since`."""
        with self._changed:
            return len(self.lines)

    def wait(self, find, what, timeout=10, since=0):
        """The first true value of find(line) over the lines from `since` on, old or to come."""
        end = deadline(timeout)
        at = since
        with self._changed:
            while True:
                while at < len(self.lines):
                    found = find(self.lines[at])
                    at += 1
                    if found:
                        return found
                if not self.running and not any(r.is_alive() for r in self._readers):
                    raise TooLate(f"{self.name} ended without {what}\n{self.tail()}")
                if time.monotonic() > end:
                    raise TooLate(f"{self.name}: no {what} in time\n{self.tail()}")
                self._changed.wait(min(0.2, max(0.01, end - time.monotonic())))

    def wait_line(self, pattern, timeout=10, since=0, stream=None):
        """The match of the first line that the regular expression finds."""
        find = re.compile(pattern).search
        return self.wait(lambda line: stream in (None, line.stream) and find(line.text),
                         f"line with {pattern!r}", timeout, since)

    @staticmethod
    def _as_event(line):
        if line.stream != "out" or not line.text.startswith("{"):
            return None
        try:
            return json.loads(line.text)
        except json.JSONDecodeError:
            return None

    def wait_event(self, timeout=10, since=0, **fields):
        """The first JSON line on standard output that has all these fields."""
        def find(line):
            event = self._as_event(line)
            if event and all(event.get(key) == value for key, value in fields.items()):
                return event
            return None
        return self.wait(find, f"event with {fields}", timeout, since)

    def events(self, **fields):
        """All JSON lines on standard output so far that have these fields."""
        with self._changed:
            events = [self._as_event(line) for line in self.lines]
        return [event for event in events
                if event and all(event.get(key) == value for key, value in fields.items())]

    def wait_exit(self, timeout=10):
        """Its exit code; negative: the signal that ended it. All its output has been read."""
        try:
            code = self._popen.wait(timeout=max(0, deadline(timeout) - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise TooLate(f"{self.name} has not ended in time\n{self.tail()}") from None
        # A descendant that lives on may hold the pipes open.
        for reader in self._readers:
            reader.join(timeout=1)
        return code

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        """Ends it and all its children at once, as a crash would."""
        self.killed = True
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.wait_exit()

    def stop(self, timeout=10):
        """Asks it to end. Returns a list of what is wrong with how it did."""
        faults = []
        if self.running:
            self.signal(signal.SIGCONT)
            self.signal(self.stop_signal)
        try:
            code = self.wait_exit(timeout)
            if self.good_codes is not None and not self.killed and code not in self.good_codes:
                faults.append(f"{self.name} ended with {code}")
        except TooLate:
            faults.append(f"{self.name} did not end when asked to")
            self.kill()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if SANITIZER.search(self.text("err")):
            faults.append(f"{self.name}: a sanitizer found a fault")
        return faults

    def release(self):
        """Gives back its pipes, once nothing of it runs any more."""
        for reader in self._readers:
            reader.join()
        for pipe in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def memory_kib(self, field="VmRSS"):
        """Resident memory now, or another Vm* field of its status (VmHWM: the most so far)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1])

    def tail(self, count=80, since=0):
        """Its last lines, for people."""
        shown = [f"  {line.stream}| {line.text}" for line in self.lines[since:][-count:]]
        return "\n".join([f"$ {' '.join(self.argv)}"] + shown)


class Supervisor:
    """Starts processes, and ends them all, in reverse order, at close()."""

    def __init__(self, on_start=None):
        self.id = uuid.uuid4().hex
        self.processes = []
        self._on_start = on_start

    def start(self, name, argv, env=None, **options):
        environment = dict(os.environ if env is None else env)
        environment[MARK] = self.id
        process = Process(name, argv, environment, **options)
        self.processes.append(process)
        if self._on_start:
            self._on_start(process)
        return process

    def _descendants(self):
        mark = f"{MARK}={self.id}".encode()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            except (FileNotFoundError, PermissionError, ProcessLookupError):
                continue

    def close(self):
        """Ends everything. Returns what was wrong: bad ends, survivors."""
        faults = []
        for process in reversed(self.processes):
            faults += process.stop()
        try:
            # A killed group takes a moment to vanish.
            until(lambda: not list(self._descendants()), "all processes gone", timeout=2)
        except TooLate:
            for pid, command in self._descendants():
                faults.append(f"left running: {pid} {command.decode(errors='replace')}")
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        for process in self.processes:
            process.release()
        return faults
