"""Lets every act of an install fail, inside a lab root, and demands the old tree back.

Run by the tool's own Python in a root where nothing is installed:

    PYTHONPATH=/srv/checkout/tests /opt/trtllm/tool/bin/python -m lab.fault_walk systemd

Of an act that writes, one system call is refused, another one from act to act: with
ENOSPC or EACCES once, or with EROFS from then on, the undoing too. A command is not run
and ends 1, or it is run and no answer comes. A request is refused. The launcher of each
service says that it failed. With TRTLLM_WALK=1 every point is tried, else a sample.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import starmap

from lab.faulty import AFTER, ERRNO, Faulty, Point
from lab.kill_walk import MARK, Killed
from lab.walked import (
    HOST,
    MULTI,
    QWEN,
    Act,
    demand,
    demand_same,
    expect,
    in_child,
    ours,
    recover,
    settled,
    step_to,
    tree,
)
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.app.undo import is_final, undo
from trtllm_install.app.uninstall import uninstall
from trtllm_install.apply.journal import Journal
from trtllm_install.cli.chorus import Chorus
from trtllm_install.model import layout
from trtllm_install.model.errors import InstallError

_SAMPLE = 1 if os.environ.get("TRTLLM_WALK") == "1" else 53
_COMMANDS = ("command fails", "command hangs")
_SERVICES = ("qwen", "nemotron", "proxy")
# What the undoing had to leave is done by hand at every second such point.
_UNDONE = ("ApplyFailed", "GateFailed")


class Walk:
    """A step from an old whole to a new one, tried with one fault at a time."""

    def __init__(self, options: Options, back: Callable[[], object]) -> None:
        self.options = options
        self.back = back  # from new to old, when a fault did no harm
        self.ended: Counter[str] = Counter()
        self._begin()

    def acts(self) -> list[tuple[str, int]]:
        """Go the whole way once, and back; return each act and how many system calls it makes."""

        def count() -> None:
            host = Faulty(Point(fault=""))
            self.act(host)
            host.calls.armed = False
            os.write(3, json.dumps(host.acts).encode())

        status, said = in_child(count)
        demand(f"a whole way without a fault, not {said}", status == 0)
        self.new = tree(times=False)
        self._go_back("the whole way")
        return [(name, made) for name, made in json.loads(said)]

    def _begin(self) -> None:
        """A plan is of its moment: what it would replace is in it with its time."""
        self.act = step_to(self.options)
        self.old, self.running = tree(), ours()

    def _go_back(self, point: str) -> None:
        """From the new whole to the old one, which is younger by then."""
        old, running = settled(self.old, times=False), len(self.running)
        expect(in_child(self.back), f"go back: {point}")
        self._begin()
        demand_same(old, settled(self.old, times=False), f"gone back: {point}")
        demand(f"what ran before: {point}", len(self.running) == running)

    def try_it(self, point: Point, *, by_hand: bool) -> bool:
        """Let it happen; demand the old whole or the new one. False: it did not come to it."""
        status, said = in_child(lambda: self._act(point))
        demand(f"an end of its own: {point}: {said}", status == 0)
        kind, what, message, hint = json.loads(said)
        if not what:
            self._go_back(f"{point}, which did not come to pass")
            return False
        name = f"{point}: {what}: {kind} {message}"
        self.ended[kind] += 1
        if kind == "":
            self._demand_new(name)
        elif kind == "NotUndone":
            demand(f"the command to run next: {name}: {hint}", "trtllm-install" in hint)
            self._do_what_is_left(message if by_hand else "", name)
        else:
            demand(f"an expected end: {name}", kind in _UNDONE)
        if point.fault == "read-only":  # an empty folder that could not be taken back
            expect(in_child(recover), f"the next run: {name}")
        self._demand_old(name)
        return True

    def _act(self, point: Point) -> None:
        host = Faulty(point)
        ended = ("", "", "")
        try:
            self.act(host)
        except InstallError as error:
            ended = (type(error).__name__, error.message, error.hint)
        host.calls.armed = False
        os.write(3, json.dumps((ended[0], host.told, *ended[1:])).encode())

    def _demand_new(self, name: str) -> None:
        if Journal(HOST).is_there():  # complete, and not cleared: the next run does that
            expect(in_child(recover), f"clear the journal: {name}")
        new = settled(self.new, times=False)
        demand_same(new, settled(tree(times=False), times=False), name)
        self._go_back(name)

    def _demand_old(self, name: str) -> None:
        demand_same(settled(self.old), settled(tree()), name)
        demand(f"no journal: {name}", not Journal(HOST).is_there())
        demand(f"what ran before, not {ours() ^ self.running}: {name}", ours() == self.running)

    def _do_what_is_left(self, message: str, name: str) -> None:
        """Take the steps that the error lists, if any, then what its hint says."""
        for step in message.partition("left to do, newest first:\n")[2].splitlines():
            done = subprocess.run(
                ["sh", "-c", step.replace("sudo ", "")], capture_output=True, text=True, check=False
            )
            demand(f"a step that can be taken: {step}: {done.stderr}: {name}", done.returncode == 0)
        expect(in_child(recover), f"go on undoing: {name}")


def walk_clearing(step: Act, back: Callable[[], object]) -> None:
    """Refuse each removal of a journal that is final: nothing is lost, the next run does it."""
    begun = time.monotonic()
    in_child(lambda: step(Killed(MARK, "after")))
    demand("a final journal", is_final(HOST))
    new, aside = settled(tree()), "/var/tmp/journal"
    new = {path: entry for path, entry in new.items() if not path.startswith(layout.JOURNAL)}
    shutil.copytree(layout.JOURNAL, aside)
    removals = len(os.listdir(aside)) + 1  # noqa: PTH208 (a number)
    chosen = [(at, f) for at in range(1, removals + 1) for f in ERRNO][::_SAMPLE]
    for at, fault in chosen:
        with contextlib.suppress(FileExistsError):
            shutil.copytree(aside, layout.JOURNAL)
        point = Point(fault=fault, act=at, syscall=1)
        status, said = in_child(lambda p=point: undo(Faulty(p), Chorus()))  # type: ignore[misc]
        demand(f"an end without an error: {point}: {said}", status == 0)
        expect(in_child(lambda: undo(HOST, Chorus())), f"clear what is left: {point}")
        have = settled(tree())
        demand_same(new, have, str(point))
    shutil.rmtree(aside)
    expect(in_child(back), "go back")
    seconds = time.monotonic() - begun
    say(f"the journal is cleared: {len(chosen)} of {len(chosen)} ({removals * 3} points", seconds)


def points(acts: Sequence[tuple[str, int]]) -> Iterator[Point]:
    """Yield every fault of every act up to the commit, and each service that fails."""
    for number, (name, made) in enumerate(acts, 1):
        if name == AFTER:
            break
        if name == "run":
            yield from (Point(fault=fault, act=number) for fault in _COMMANDS)
        elif name == "http":
            yield Point(fault="request refused", act=number)
        elif made:
            for turn, fault in enumerate(ERRNO):
                # Another system call for each fault, and from act to act.
                yield Point(fault=fault, act=number, syscall=1 + (number + turn) % made)
    yield from (Point(fault="gate", service=name) for name in _SERVICES)


def walk(
    words: str, options: Options, back: Callable[[], object], wanted: Sequence[str] = ()
) -> None:
    """Try all points, or the sample, and say of each fault how many of how many."""
    begun = time.monotonic()
    way = Walk(options, back)
    chosen = [p for p in points(way.acts()) if not wanted or p.fault in wanted]
    tried: Counter[str] = Counter()
    for number, point in enumerate(chosen):
        gate = point.fault == "gate" and _SAMPLE > 1 and point.service != _SERVICES[0]
        if not gate and (number % _SAMPLE == 0 or point.fault == "gate"):
            tried[point.fault] += way.try_it(point, by_hand=number % 2 == 0)
    said = ", ".join(starmap("{}: {} of {}".format, ((f, n, n) for f, n in tried.items())))
    ends = ", ".join(f"{n} {kind or 'did no harm'}" for kind, n in way.ended.most_common())
    say(f"{words}: {said} ({len(chosen)} points, {ends}", time.monotonic() - begun)


def say(words: str, seconds: float) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{words}; {seconds:.0f} s)\n")
    sys.stdout.flush()


def main() -> None:
    """Walk from nothing to everything, then from one profile to another with all running."""
    # What is refused is the call; only a power cut needs the disk.
    os.fsync = lambda _: None

    def purge() -> None:
        uninstall(HOST, Chorus(), purge=True)

    def multi() -> None:
        install(HOST, MULTI, Chorus())

    def multi_anew() -> None:  # a second generation would be another whole
        purge()
        multi()

    walk("first install", MULTI, purge)
    walk_clearing(step_to(MULTI), purge)
    expect(in_child(multi), "install")
    faults = ("command fails", "gate", "request refused")
    walk("another profile, services running", QWEN, multi_anew, faults)


if __name__ == "__main__":
    main()
