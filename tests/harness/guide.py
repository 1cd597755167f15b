"""The commands of a page of the documentation, run as they stand there."""
import os
import re
from pathlib import Path

from .adit import PROGRAM, clean_environment

ROOT = Path(__file__).parents[2]


class Guide:
    """A page's commands: its indented lines. A test takes each once, and in the end none is left
    over (finish()).

    `instead`: what stands there for the reader's own, and what the test has in its place: names,
    and the ports, of which laptop and workspace share one set here. `home` is the workspace's.
    """

    def __init__(self, page, supervisor, home, instead):
        self.text = (ROOT / page).read_text()
        self.instead = instead
        self._left = [line.strip() for line in re.findall(r"^    \S.*$", self.text, re.MULTILINE)]
        self._supervisor = supervisor
        self._home = home

    def ours(self, text):
        for theirs, ours in self.instead.items():
            text = text.replace(theirs, str(ours))
        return text

    def command(self, beginning):
        """The next command that begins so, without its comment."""
        found = [line for line in self._left if line.startswith(beginning)]
        assert found, f"the page has no command (left) that begins with {beginning!r}"
        self._left.remove(found[0])
        return self.ours(re.sub(r"\s{2,}# .*$", "", found[0]).removesuffix(" &"))

    def start(self, beginning, person=None, text=None, **options):
        """Runs it (or `text`) in a shell: at a person's, or in the workspace."""
        home = person.home if person else self._home
        environment = clean_environment(
            home, PATH=f"{Path(PROGRAM).parent}:{os.environ['PATH']}")
        command = text or f"exec env {self.command(beginning)}"
        return self._supervisor.start(beginning, ["sh", "-c", command], env=environment,
                                      **{"cwd": home, "good_codes": (0,), **options})

    def run(self, beginning, person=None, **options):
        """As start(), to its end: what it printed."""
        running = self.start(beginning, person, **options)
        assert running.wait_exit(30) == 0, running.tail()
        return running.text("out")

    def finish(self):
        assert not self._left, f"nobody has tried {self._left}"
