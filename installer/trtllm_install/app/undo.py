"""Takes back what a run had begun: its own when it fails, another's when that was killed."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from trtllm_install.app.cut_off import AGAIN
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import (
    forget_ended,
    make_run_folder,
    read_live,
    supervisor_called,
    told_in_words,
)
from trtllm_install.apply.byhand import command_for
from trtllm_install.apply.changes import undo_change
from trtllm_install.apply.entries import Opened
from trtllm_install.apply.holder import is_same_boot
from trtllm_install.apply.journal import DamagedJournal, Journal
from trtllm_install.apply.packages import take_away
from trtllm_install.apply.transaction import finish
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError, NotUndone
from trtllm_install.model.tree import ServiceAction, ServiceChange
from trtllm_install.supervisors.protocol import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A run that was taken back; its services run again, and need not serve yet."""

    verb: str
    changes: int
    supervisor: Supervisor
    awaited: tuple[str, ...] = ()  # served before, and were told to begin again
    replaced: dict[str, int | None] = field(default_factory=dict)  # launchers that end for it

    @property
    def text(self) -> str:
        """What was undone, in words."""
        again = f"; {told_in_words(self.awaited)} begun again" if self.awaited else ""
        return f"{self.changes} change{'' if self.changes == 1 else 's'} undone{again}"


def undo(host: Host, reporter: Reporter) -> Undone | None:
    """Undo an open transaction, None when there was none; what was final is only cleared.

    First what was begun stops, then paths go back, newest first, then what ran before
    runs again. Right also when it was cut short itself. Raises NotUndone with the steps
    that are left; the transaction then stays open, and the next run tries again.
    """
    journal = Journal(host)
    try:
        opened = journal.read()
    except DamagedJournal as damaged:
        raise _refusal(damaged) from damaged
    if opened is None or opened.final:
        _finish(host, opened)
        return None
    supervisor = supervisor_called(opened.begin.supervisor, host)
    left = _Left()
    with suppress(HostError):
        journal.make_room()
    _stop_what_was_begun(supervisor, opened, left)
    # All at once: each alone is held by another of them.
    names = [change.path for change in opened.changes if change.kind == "package"]
    for change in reversed(opened.changes):
        if change.kind != "package":
            left.try_to(change.path, lambda c=change: undo_change(host, c))  # type: ignore[misc]
        elif change.path == names[0]:
            left.try_to(names[0], lambda: take_away(host, names))
    if left.failures:
        raise left.error(journal, opened)
    replaced = _bring_back(host, supervisor, opened, reporter, left)
    if left.failures:
        raise left.error(journal, opened)
    # Undoing once more, what is left of the journal, would do no harm.
    with suppress(HostError):
        journal.clear(found_state=opened.begin.found_state)
    return Undone(
        verb=opened.begin.verb,
        changes=len(opened.changes),
        supervisor=supervisor,
        awaited=tuple(name for name in opened.begin.serving if name in replaced),
        replaced=replaced,
    )


def is_final(host: Host) -> bool:
    """Tell whether the run whose journal is there was complete: nothing of it is undone."""
    try:
        opened = Journal(host).read()
    except DamagedJournal:
        return False
    return opened is not None and opened.final


def undo_what_was_cut_off(host: Host, reporter: Reporter) -> Undone | None:
    """Undo a run that was killed, and say so; nothing waits for its services."""
    undone = undo(host, reporter)
    if undone:
        reporter.note(f"a run of {undone.verb} was cut off: {undone.text}")
    return undone


def _finish(host: Host, opened: Opened | None) -> None:
    """What a run that was complete left for last, or one that was killed before it began."""
    try:
        if opened:
            finish(host, opened)
    except HostError as error:
        raise NotUndone(
            f"cannot finish {opened.begin.verb if opened else ''}: {error.message}; "
            "everything else of it is done",
            hint=f"mend the cause, then: {AGAIN}",
        ) from error
    # Nothing is lost when the journal cannot be cleared: the next run does it first.
    with suppress(HostError):
        Journal(host).clear()


def _stop_what_was_begun(supervisor: Supervisor, opened: Opened, left: "_Left") -> None:
    begin = opened.begin
    if not opened.orders:
        return
    activated = any(order.word == "activate" for order in opened.orders)
    if activated and not begin.running:
        left.try_to("services", lambda: supervisor.stop_all((*begin.services, "gpu-ready")))
    else:
        _stop_others(supervisor, opened, left)
    if activated and not begin.enabled:
        left.try_to(supervisor.name, supervisor.disable)


def _stop_others(supervisor: Supervisor, opened: Opened, left: "_Left") -> None:
    """Stop every service that did not run before, what others stand on last."""
    others = supervisor.running(opened.begin.services) - set(opened.begin.running)
    for name in reversed(opened.begin.services):
        if name in others:
            stop = ServiceChange(action=ServiceAction.STOP, name=name, reason="as it was")
            left.try_to(name, lambda s=stop: supervisor.carry_out(s))  # type: ignore[misc]


def _is_out_of_force(supervisor: Supervisor, opened: Opened) -> bool:
    return any(order.word == "deactivate" for order in opened.orders) or (
        bool(opened.orders) and not supervisor.enabled()
    )


def _bring_back(
    host: Host, supervisor: Supervisor, opened: Opened, reporter: Reporter, left: "_Left"
) -> dict[str, int | None]:
    """Let what ran run again with the old files; return the launchers that end for it."""
    begin = opened.begin
    if opened.orders or not is_same_boot(host, begin.process):
        left.try_to(supervisor.name, supervisor.reread)
    orders = tuple(_again(host, supervisor, opened)) if begin.running else ()
    resumes = begin.enabled and _is_out_of_force(supervisor, opened)
    if (orders or resumes) and not host.image():
        left.try_to(layout.RUN, lambda: make_run_folder(host))
        left.try_to(layout.RUN, lambda: forget_ended(host, tuple(begin.running)))
    if resumes:
        left.try_to(supervisor.name, supervisor.resume)
        # A daemon that begins starts everything, also what the operator had stopped.
        _stop_others(supervisor, opened, left)
    replaced: dict[str, int | None] = {}
    for order in orders:
        (live,) = read_live(host, [order.name])
        replaced[order.name] = live.pid if order.action is ServiceAction.RESTART else None
        if left.try_to(order.name, lambda o=order: supervisor.carry_out(o)):  # type: ignore[misc]
            reporter.service(order)
    return replaced


def _again(host: Host, supervisor: Supervisor, opened: Opened) -> Iterable[ServiceChange]:
    """What stopped starts; what began anew, whoever began it, begins anew with the old files."""
    before = opened.begin.running
    now = supervisor.running(tuple(before))
    same_boot = is_same_boot(host, opened.begin.process)
    for live in read_live(host, tuple(before)):
        name = live.name
        words = {order.word for order in opened.orders if order.name == name}
        if name not in now:
            action = ServiceAction.START
        elif "restart" in words or live.pid != before[name] or not same_boot:
            action = ServiceAction.RESTART
        elif "reload" in words:
            action = ServiceAction.RELOAD
        else:
            continue
        yield ServiceChange(action=action, name=name, reason="as it was")


class _Left:
    """What could not be undone, and how to do it by hand."""

    def __init__(self) -> None:
        self.failures: dict[str, HostError] = {}

    def try_to(self, subject: str, deed: Callable[[], object]) -> bool:
        """Do it; a refusal is kept, so that it does not keep the rest from being undone."""
        try:
            deed()
        except HostError as error:
            self.failures[subject] = error
            return False
        return True

    def error(self, journal: Journal, opened: Opened) -> NotUndone:
        """Return the error that names every step that is left."""
        steps = [
            command_for(numbered)
            for numbered in reversed(journal.numbered())
            if getattr(numbered.entry, "path", "") in self.failures
        ]
        services = [name for name in opened.begin.running if name in self.failures]
        steps += [f"sudo trtllm-install start {name}" for name in services]
        causes = "; ".join(f"{s}: {error.message}" for s, error in self.failures.items())
        return NotUndone(
            f"cannot undo {opened.begin.verb}: {causes}{_listed(steps)}",
            hint=f"mend the cause, then: {AGAIN}; it goes on undoing, and takes every step above",
        )


def _listed(steps: Iterable[str]) -> str:
    lines = "".join(f"\n  {step}" for step in steps if step)
    return f"\nleft to do, newest first:{lines}" if lines else ""


def _refusal(damaged: DamagedJournal) -> NotUndone:
    """Nothing is guessed: a step that cannot be read may have been any."""
    if damaged.newer:
        return NotUndone(
            f"cannot undo a run that was cut off: {damaged}",
            hint="use the newer trtllm-install that wrote it",
        )
    aside = f"sudo mv {layout.JOURNAL} {layout.JOURNAL}.damaged"
    steps = [*(command_for(n) for n in reversed(damaged.entries)), aside]
    return NotUndone(
        f"cannot undo a run that was cut off: {damaged}; "
        f"what else it did can be read{_listed(steps)}",
        hint="take the steps above by hand, then: sudo trtllm-install",
    )
