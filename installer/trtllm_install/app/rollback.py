"""Back to an earlier whole; with a run that was cut off, back to before it."""

from dataclasses import dataclass, replace

from trtllm_install.app.converge import How, Outcome, Step, carry_out, plan_towards
from trtllm_install.app.gate import await_serving
from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.undo import Undone, undo_what_was_cut_off
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, NeedsRoot
from trtllm_install.model.receipt import Receipt
from trtllm_install.receipts.generations import (
    Generation,
    kept_numbers,
    path_of,
    read_generation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """A generation is installed again."""

    step: Step
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A generation that can be rolled back to."""

    generation: Generation
    kept_at: float  # Unix time
    is_current: bool


def rollback(
    host: Host, reporter: Reporter, *, to: int | None, timeout_s: float
) -> RolledBack | Undone:
    """Undo a run that was cut off; else install generation ``to``, or the one before.

    The number of a generation stays: a second rollback goes one further back. Raises
    NeedsRoot, Locked, ConfigError with nothing changed, and as ``carry_out`` does.
    """
    _demand_root(host)
    with host.lock(layout.LOCK):
        if undone := undo_what_was_cut_off(host, reporter):
            if undone.awaited:
                await_serving(
                    host,
                    undone.supervisor,
                    undone.awaited,
                    reporter,
                    timeout_s=timeout_s,
                    replaced=undone.replaced,
                )
            return undone
        step = _plan(host, to)
        reporter.profile(step.outline.profile)
        reporter.planned(step.plan)
        supervisor = supervisor_called(step.outline.supervisor, host)
        how = How(verb="rollback", timeout_s=timeout_s)
        return RolledBack(step=step, outcome=carry_out(host, supervisor, step, reporter, how))


def plan_rollback(host: Host, *, to: int | None) -> Step:
    """Return what ``rollback`` would do where no run was cut off; reads only."""
    _demand_root(host)
    return _plan(host, to)


def kept_generations(host: Host) -> tuple[Kept, ...]:
    """Return every generation that can be rolled back to, oldest first."""
    _demand_root(host)
    current = installed_receipt(host).generation
    return tuple(_kept(host, number, current) for number in kept_numbers(host))


def _kept(host: Host, number: int, current: int) -> Kept:
    entry = host.look(path_of(number))
    return Kept(
        generation=read_generation(host, number),
        kept_at=entry.mtime_ns / 1e9 if entry else 0.0,
        is_current=number == current,
    )


def _plan(host: Host, to: int | None) -> Step:
    receipt = installed_receipt(host)
    target = read_generation(host, _chosen(host, receipt, to))
    there = target.receipt.supervisor
    if there != receipt.supervisor:
        raise ConfigError(
            f"cannot roll back to generation {target.number}: it is under {there}, "
            f"this host under {receipt.supervisor}",
            hint="sudo trtllm-install rollback --list",
        )
    return plan_towards(
        host,
        supervisor_called(receipt.supervisor, host),
        replace(target.receipt, links_before={}),
        target.desired,
        receipt,
    )


def _chosen(host: Host, receipt: Receipt, to: int | None) -> int:
    """The generation that was asked for, else the newest that is older than the present one."""
    if to is not None:
        return to
    kept = kept_numbers(host)
    older = [number for number in kept if number < receipt.generation]
    if older:
        return older[-1]
    if kept:
        why = f"generation {receipt.generation} is the oldest that is kept"
        hint = "trtllm-install rollback --list; or: sudo trtllm-install uninstall"
    else:
        why = "no generation is kept: the version that installed this host did not keep any"
        hint = "sudo trtllm-install keeps the next one"
    raise ConfigError(f"cannot roll back: {why}", hint=hint)


def _demand_root(host: Host) -> None:
    if not host.is_root():
        raise NeedsRoot("cannot roll back: not root", hint="sudo trtllm-install rollback")
