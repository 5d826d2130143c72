"""Kills an install at every step, inside a lab root, and demands the old tree back.

Run by the tool's own Python in a root where nothing is installed:

    PYTHONPATH=/srv/checkout/tests /opt/trtllm/tool/bin/python -m lab.kill_walk systemd

Everything is imported once, and each point is a child of its own that kills itself with
SIGKILL; another child then does what an operator would: ``rollback``. Points where
nothing of the services is touched yet need none of them, and are cheap.
"""

import itertools
import os
import signal
import sys
import time
from dataclasses import replace
from typing import Any, Literal

from lab.walked import (
    ACTS,
    HOST,
    MULTI,
    QWEN,
    SYSTEMD,
    Act,
    Tree,
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
from trtllm_install.app.undo import is_final, undo
from trtllm_install.app.uninstall import uninstall
from trtllm_install.apply.journal import Journal
from trtllm_install.cli.chorus import Chorus
from trtllm_install.host import files
from trtllm_install.model import layout

MARK = f"write {layout.JOURNAL}/committed"
# One model has stopped, everything is written, the model that stays has begun anew.
FORCE = "'enable'" if SYSTEMD else "bin/supervisord'"  # what was written comes into force
SWITCH_POINTS = (
    ("'stop', 'trtllm-nemotron.service'", f"write {layout.RECEIPT}", "'restart', '--no-block'")
    if SYSTEMD
    else ("'stop', 'nemotron'", f"write {layout.RECEIPT}", "'add', 'qwen'")
)
When = Literal["after", "within"]


class Killed:
    """The machine, and a SIGKILL after its n-th act or the act of this name, or in the middle."""

    def __init__(self, at: int | str, when: When) -> None:
        self.at = at
        self.when = when
        self.acts = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(HOST, name)
        if name not in ACTS:
            return method

        def act(*args: Any, **kwargs: Any) -> Any:
            self.acts += 1
            said = f"{name} {args[0]}"
            if self.at != self.acts and not (isinstance(self.at, str) and self.at in said):
                return method(*args, **kwargs)
            os.write(3, said.encode())
            if self.when == "within":
                files.os.rename = die  # type: ignore[assignment]
            method(*args, **kwargs)
            die()
            raise AssertionError

        return act


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_and_roll_back(act: Act, at: int | str, when: When, old: Tree) -> str:
    """Kill there and go back; return what the act was, the mark once the run was final."""
    status, said = in_child(lambda: act(Killed(at, when)))
    point = f"killed {when} act {at}: {said}"
    if status != signal.SIGKILL:
        raise SystemExit(f"{point}: ended {status}, and was to be killed")
    final = is_final(HOST)
    expect(in_child(recover), f"go back: {point}")
    if final:
        return MARK
    demand_same(old, tree(), point)
    return said


def kill_at_every_act(act: Act, old: Tree, *, stride: int = 1) -> int:
    """Kill after each act up to the first proof, and within every tenth that writes a file.

    Without a proof the last point is the mark, after which the new tree stays.
    """
    points = writes = 0
    for at in itertools.count(1, stride):
        said = kill_and_roll_back(act, at, "after", old)
        points += 1
        if said.startswith("http") or said == MARK:
            return points
        writes += said.startswith("write")
        if said.startswith("write") and writes % 10 == 0:
            kill_and_roll_back(act, at, "within", old)
            points += 1
    raise AssertionError


def walk_first_install() -> int:
    """Nothing there -> everything there, running and proved: old up to the mark, then new."""
    old, running = tree(), ours()
    act = step_to(MULTI)
    points = kill_at_every_act(act, old)
    kill_and_roll_back(act, MARK, "within", old)
    demand(f"nothing of ours running, and not {ours() - running}", ours() == running)
    in_child(lambda: act(Killed(MARK, "after")))
    demand("the mark", is_final(HOST))
    new = tree()
    return points + 2 + kill_while_clearing(new)


def kill_while_clearing(new: Tree) -> int:
    """Each removal of the final journal is the last of one child."""
    points = 0
    while Journal(HOST).is_there():
        in_child(lambda: undo(Killed(1, "after"), Chorus()))  # type: ignore[arg-type]
        points += 1
        have = {p: e for p, e in tree().items() if not p.startswith(layout.JOURNAL)}
        want = {p: e for p, e in new.items() if not p.startswith(layout.JOURNAL)}
        demand_same(settled(want), settled(have), f"killed after {points} removals")
    return points


def walk_switch_of_files() -> int:
    """Multi -> qwen with nothing running: what is replaced and removed comes back as it was."""
    expect(in_child(lambda: install(HOST, replace(MULTI, start=False), Chorus())), "write")
    os.chown(f"{layout.ETC}/instances/qwen.json", 0, 4)  # a group and a time of the operator
    os.utime(f"{layout.UNITS}/{layout.TARGET}" if SYSTEMD else layout.SUPERVISORD_CONF, (1, 2))
    points = kill_at_every_act(step_to(replace(QWEN, start=False)), tree(), stride=3)
    expect(in_child(lambda: uninstall(HOST, Chorus(), purge=True)), "uninstall")
    return points


def walk_switch_of_services() -> int:
    """Multi -> qwen with all of it running: stopped, half-way, and begun anew."""
    old, running = tree(), len(ours())
    act = step_to(QWEN)
    for at in SWITCH_POINTS:
        status, said = in_child(lambda a=at: act(Killed(a, "after")))  # type: ignore[misc]
        demand(f"killed at {at}, not {status} {said}", status == signal.SIGKILL)
        expect(in_child(recover), f"roll back from {at}")
        demand_same(settled(old), settled(tree()), at)
        demand(f"all of it running after {at}, and not {ours()}", len(ours()) == running)
    return len(SWITCH_POINTS)


def install_after_kill() -> int:
    """The next install says what it undoes, and ends where an install that lived does."""
    new = tree(times=False)
    expect(in_child(lambda: uninstall(HOST, Chorus(), purge=True)), "uninstall")
    in_child(lambda: step_to(MULTI)(Killed(FORCE, "after")))
    demand("a run that was cut off", Journal(HOST).read() is not None)
    expect(in_child(lambda: install(HOST, MULTI, Chorus())), "install after a kill")
    demand_same(settled(new), settled(tree(times=False)), "installed after a kill")
    return 1


def main() -> None:
    """Walk, and say how many points of how many."""
    # A killed process leaves its writes to the kernel; only a power cut needs the disk.
    files.os.fsync = lambda _: None  # type: ignore[assignment]
    walks = [walk_switch_of_files, walk_first_install, walk_switch_of_services, install_after_kill]
    for walk_it in walks:
        begun = time.monotonic()
        points = walk_it()
        seconds = time.monotonic() - begun
        words = walk_it.__name__.replace("_", " ")
        sys.stdout.write(f"{words}: {points} of {points} ({seconds:.0f} s)\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
