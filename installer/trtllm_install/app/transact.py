"""All of a run or none of it: whatever ends it early takes the host back to where it was."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from trtllm_install.app.gate import await_serving
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import read_live, told_in_words
from trtllm_install.app.undo import Undone, is_final, undo
from trtllm_install.apply.entries import Begin
from trtllm_install.apply.holder import this_process
from trtllm_install.apply.journal import room_for
from trtllm_install.apply.transaction import Transaction
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import (
    ApplyFailed,
    GateFailed,
    HostError,
    InstallError,
    Interrupted,
    NotUndone,
)
from trtllm_install.model.states import SERVING
from trtllm_install.model.tree import Change
from trtllm_install.supervisors.protocol import Supervisor

# The wait that was asked for may be what failed. A load that makes no progress, and what
# fails for good, end this one sooner.
_BACK_S = 3600.0


@contextmanager
def all_or_nothing(
    host: Host,
    supervisor: Supervisor,
    services: Sequence[str],
    reporter: Reporter,
    *,
    verb: str,
    changing: Iterable[Change] = (),
    keep_failed: bool = False,
) -> Iterator[Transaction]:
    """Yield the transaction that the body works in; it is final when the body ends.

    ``services`` are all that may be touched, in start order, and ``changing`` the changes
    for whose undo room is kept on the disk. Raises, with everything
    undone and what served before awaited: ApplyFailed for a refusal of the machine,
    GateFailed for a service or a proof that failed, Interrupted. Raises NotUndone where
    undoing was refused. With ``keep_failed`` a GateFailed, and an interrupt while
    services start, leave what was done.
    """
    undoing = _Undoing(host, reporter)
    transaction: Transaction | None = None
    try:
        begin = _begin(host, supervisor, services, verb)
        transaction = Transaction(host, begin, reporter.change, room=room_for(changing))
        yield transaction
        transaction.commit()
    except KeyboardInterrupt as stop:
        if keep_failed and transaction and transaction.is_starting:
            _keep(host, reporter, transaction, "interrupted")
        undoing.after_interrupt(stop)
    except GateFailed as failed:
        if keep_failed and transaction:
            _keep(host, reporter, transaction, failed.message, failed.hint)
        undoing.after(failed, GateFailed)
    except HostError as failed:
        undoing.after(failed, ApplyFailed)
    except Exception:
        with host.shielded():
            undo(host, reporter)
        raise
    with host.shielded():
        undo(host, reporter)  # final by now: does what is left for last, and clears
        host.settled()


def _begin(host: Host, supervisor: Supervisor, services: Sequence[str], verb: str) -> Begin:
    running = supervisor.running(services)
    live = {live.name: live for live in read_live(host, services)}
    return Begin(
        verb=verb,
        supervisor=supervisor.name,
        services=tuple(services),
        running={name: live[name].pid for name in services if name in running},
        serving=tuple(n for n in services if n in running and live[n].state in SERVING),
        enabled=supervisor.enabled(),
        process=this_process(host),
        found_state=host.look(layout.STATE) is not None,
    )


def _keep(
    host: Host, reporter: Reporter, transaction: Transaction, message: str, hint: str = ""
) -> NoReturn:
    """Make it final as it is, for whoever wants to look at what failed."""
    transaction.commit()
    undo(host, reporter)
    first, *more = message.split("\n")
    text = "\n".join([f"{first}; everything is installed and stays so (--no-rollback)", *more])
    if not hint:
        raise Interrupted(text, hint="trtllm-install wait", installed=True) from None
    raise GateFailed(text, hint=hint, installed=True) from None


class _Undoing:
    """Takes a run back and tells how it ended."""

    def __init__(self, host: Host, reporter: Reporter) -> None:
        self._host = host
        self._reporter = reporter

    def after(self, failed: InstallError, kind: type[ApplyFailed | GateFailed]) -> NoReturn:
        """Raise ``failed`` again, as what it is once everything is undone."""
        first, *more = failed.message.split("\n")
        undone = self._undo(first)
        waited = self._await(undone, first)
        text = "\n".join([f"{first}; {_told(undone)}, the host is as it was{waited}", *more])
        raise kind(text, hint=failed.hint) from failed

    def after_interrupt(self, stop: KeyboardInterrupt) -> None:
        """Raise Interrupted, unless the run was complete by then."""
        by = f" by {stop}" if str(stop) not in {"", "SIGINT"} else ""
        if is_final(self._host):
            return
        undone = self._undo(f"interrupted{by}")
        waited = self._await(undone, f"interrupted{by}")
        raise Interrupted(
            f"interrupted{by}: {_told(undone)}, the host is as it was{waited}",
            hint="run the same command again",
        ) from None

    def _undo(self, cause: str) -> Undone | None:
        self._reporter.phase("undo")
        try:
            with self._host.shielded():
                return undo(self._host, self._reporter)
        except NotUndone as error:
            raise NotUndone(f"{cause}; {error.message}", hint=error.hint) from error

    def _await(self, undone: Undone | None, cause: str) -> str:
        """Wait for what served before; an interrupt ends only the waiting."""
        if undone is None or not undone.awaited:
            return ""
        try:
            await_serving(
                self._host,
                undone.supervisor,
                undone.awaited,
                self._reporter,
                timeout_s=_BACK_S,
                replaced=undone.replaced,
            )
        except KeyboardInterrupt:
            return f"; {told_in_words(undone.awaited)} still loading, not waited for"
        except GateFailed as failed:
            names = " ".join(undone.awaited)
            raise NotUndone(
                f"{cause}; every file is as it was, but {failed.message}",
                hint=f"sudo trtllm-install restart {names}",
            ) from failed
        return f", {told_in_words(undone.awaited)} serving again"


def _told(undone: Undone | None) -> str:
    return undone.text if undone else "nothing was changed"
