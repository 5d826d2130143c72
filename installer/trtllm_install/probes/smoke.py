"""Tries CUDA in a process of its own, outside and inside the sandbox of the units.

Where it passes outside and not inside, the properties that break it are searched for.
"""

import json
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from trtllm_install.host.protocol import Completed, Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SmokeFacts, Unknown
from trtllm_install.model.facts.gpu import SmokeRun

CHILD: Final = posixpath.join(posixpath.dirname(__file__), "cuda_child.py")
LIMIT_S: Final = 40
# While the sandbox is narrowed down: a GPU is known to work by then.
NARROW_LIMIT_S: Final = 15
MOST_CULPRITS: Final = 3
_GRACE_S: Final = 10.0
_NAMED: Final = "--description=CUDA smoke test of trtllm-install"
_ALARM: Final = ("14", "ALRM")

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A way to run a command under groups of properties, some of which can be left out."""

    groups: tuple[Group, ...]
    command: Callable[[Sequence[Group]], tuple[str, ...]]  # what stands before the command


def systemd_sandbox(groups: tuple[Group, ...]) -> Sandbox:
    """Return the sandbox of a unit, given to a transient unit."""
    return Sandbox(groups=groups, command=_transient_unit)


def account_sandbox(user: str) -> Sandbox:
    """Return what supervisord does to a program: it runs as another user, and no more."""
    group = (f"User={user}",)
    return Sandbox(
        groups=(group,),
        command=lambda groups: ("runuser", "-u", user, "--") if group in groups else (),
    )


def probe_smoke(
    host: Host, gpus: Sequence[str], sandbox: Sandbox | None, *, python: str
) -> SmokeFacts | Unknown:
    """Return how CUDA does on these GPUs (UUIDs), outside and inside a sandbox.

    Takes about a second for each run, two runs where all is well, and some twenty where
    the sandbox is in the way. Changes nothing.
    """
    begun = host.monotonic()
    outside = _run(host, (), python, gpus, LIMIT_S)
    if isinstance(outside, Unknown):
        return outside
    breaks: tuple[str, ...] = ()
    inside: SmokeRun | Unknown | None = None
    if sandbox and not outside.failed:
        inside = _run(host, sandbox.command(sandbox.groups), python, gpus, LIMIT_S)
        if isinstance(inside, SmokeRun) and inside.failed:
            inside, breaks = _narrowed(host, sandbox, python, inside)
    return SmokeFacts(
        gpus=tuple(gpus),
        outside=outside,
        inside=inside,
        breaks=breaks,
        seconds=host.monotonic() - begun,
    )


def narrow(groups: Sequence[Group], passes: Callable[[Sequence[Group]], bool]) -> tuple[Group, ...]:
    """Return groups, three at most, without which ``passes`` holds; empty if there are none.

    Each group returned is needed: with it put back, the rest fails. ``passes`` has to hold
    for no groups at all, and leaving out more must never do harm; for twenty groups it is
    asked six times for each that is found.
    """
    culprits: list[Group] = []
    left = list(groups)
    while len(culprits) < MOST_CULPRITS:
        if passes(left):
            return tuple(culprits)
        # The fewest of the first groups that have to go: the last of these is a culprit.
        low, high = 0, len(left)
        while low < high:
            middle = (low + high) // 2
            if passes(left[middle:]):
                high = middle
            else:
                low = middle + 1
        culprits.append(left.pop(low - 1))
    return tuple(culprits) if passes(left) else ()


def _narrowed(
    host: Host, sandbox: Sandbox, python: str, failed: SmokeRun
) -> tuple[SmokeRun | Unknown, tuple[str, ...]]:
    gpus = [failed.gpu] if failed.gpu else []

    def passes(groups: Sequence[Group]) -> bool:
        run = _run(host, sandbox.command(groups), python, gpus, NARROW_LIMIT_S)
        return isinstance(run, SmokeRun) and not run.failed

    bare = _run(host, sandbox.command(()), python, gpus, NARROW_LIMIT_S)
    if isinstance(bare, Unknown) or bare.failed:
        # Not one property is to blame: the service manager itself cannot run it.
        reason = bare.reason if isinstance(bare, Unknown) else bare.detail
        return Unknown(reason=f"it passes by itself, and no unit could be tried: {reason}"), ()
    return failed, tuple(" ".join(group) for group in narrow(sandbox.groups, passes))


def _transient_unit(groups: Sequence[Group]) -> tuple[str, ...]:
    properties = [word for group in groups for text in group for word in ("-p", text)]
    limit = ("-p", f"RuntimeMaxSec={LIMIT_S + 5}")
    run = ("systemd-run", "--pipe", "--wait", "--collect", "--service-type=exec", _NAMED)
    return (*run, *limit, *properties, "--")


def _run(
    host: Host, before: Sequence[str], python: str, gpus: Sequence[str], limit_s: int
) -> SmokeRun | Unknown:
    """Run the child once; Unknown where not even a process could be started."""
    argv = [*before, python, "-I", "-", str(limit_s), *gpus]
    with open(CHILD, encoding="utf-8") as file:  # noqa: PTH123 (ours, and not the host's)
        program = file.read()
    try:
        ended = host.run(argv, timeout=limit_s + _GRACE_S, stdin=program)
    except HostError as error:
        return Unknown(reason=error.message)
    return parse_run(ended, limit_s)


def parse_run(ended: Completed, limit_s: int) -> SmokeRun:
    """Return how far a run came, from the lines that it printed."""
    told: dict[str, str] = {}
    passed: list[str] = []
    for line in ended.stdout.splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict):
            told |= {key: str(value) for key, value in said.items()}
            passed += [said["passed"]] if "passed" in said else []
    if "end" in told:
        return SmokeRun(passed=tuple(passed))
    return SmokeRun(
        passed=tuple(passed),
        gpu=told.get("gpu", ""),
        step=told.get("at", ""),
        detail=told.get("failed") or _how_it_ended(ended, limit_s),
    )


def _how_it_ended(ended: Completed, limit_s: int) -> str:
    lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
    status = next((n for n in lines if "status=" in n), "")
    code = status.partition("status=")[2] or str(abs(ended.code))
    if code.startswith(_ALARM):
        return f"no answer in {limit_s} s"
    last = status or (lines[-1] if lines else f"it ended with {ended.code} and said nothing")
    return last.removeprefix("Main processes terminated with: ")[:200]
