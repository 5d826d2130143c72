"""Removes what the receipt owns, keeps weights and edits, says what stays."""

from collections.abc import Iterator
from dataclasses import dataclass

from trtllm_install.app.desired import see_tree
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.transact import all_or_nothing
from trtllm_install.app.undo import undo_what_was_cut_off
from trtllm_install.apply.entries import Sweep
from trtllm_install.apply.packages import removable
from trtllm_install.apply.transaction import carry_out_sweep
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.desired import Desired
from trtllm_install.model.errors import NeedsRoot
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Action, Change
from trtllm_install.plan.obstacles import refuse_obstacles
from trtllm_install.plan.tree import plan_removal
from trtllm_install.receipts.generations import removals
from trtllm_install.receipts.store import read_receipt, receipt_change


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstalled:
    """What is gone and what is left."""

    removed: tuple[Change, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Going:
    """What an uninstall would remove, and what it would empty."""

    changes: tuple[Change, ...] = ()
    contents: tuple[str, ...] = ()  # folders that go with everything in them


def plan_uninstall(host: Host, *, purge: bool) -> Going:
    """Return what ``uninstall`` would take away; reads only. Raises as it does."""
    receipt = read_receipt(host)
    if receipt is None:
        return Going(contents=tuple(s.path for s in _logs_left(host)) if purge else ())
    sweeps = _sweeps(host, receipt, purge=purge)
    return Going(
        changes=(*_removal(host, receipt), *_packages(host, receipt, purge=purge)),
        contents=tuple(sorted(s.path for s in sweeps if s.what == "contents")),
    )


def _removal(host: Host, receipt: Receipt) -> tuple[Change, ...]:
    tree = see_tree(host, Desired(), receipt)
    refuse_obstacles(Desired(), tree, receipt)
    return plan_removal(Desired(), tree, receipt)


def uninstall(host: Host, reporter: Reporter, *, purge: bool) -> Uninstalled:
    """Stop and remove everything of ours; twice is fine.

    Weights, edited files and, without ``purge``, logs stay. Caches, state and the
    account go once everything else is removed, since nothing could bring them back.
    Raises NeedsRoot, Locked or ConfigError with nothing changed, ApplyFailed or
    Interrupted with everything undone, NotUndone with the steps that are left.
    """
    if not host.is_root():
        raise NeedsRoot("cannot uninstall: not root", hint="sudo trtllm-install uninstall")
    with host.lock(layout.LOCK):
        undo_what_was_cut_off(host, reporter)
        receipt = read_receipt(host)
        if receipt is None:
            return Uninstalled(removed=_purged(host) if purge else ())
        reporter.profile(receipt.profile)
        packages = tuple(_packages(host, receipt, purge=purge))
        changes = (*_removal(host, receipt), *packages)
        _carry_out(host, receipt, changes, reporter, purge=purge)
        paths = [c.path for c in changes if c.kind not in {"account", "package"}]
        left = [path for path in paths if host.look(path)]
        return Uninstalled(removed=changes, left=tuple(sorted(left)))


def _purged(host: Host) -> tuple[Change, ...]:
    """Remove the logs of an installation that went without ``purge``, and tell which."""
    sweeps = tuple(_logs_left(host))
    for sweep in sweeps:
        carry_out_sweep(host, sweep)
    return tuple(
        Change(action=Action.REMOVE, kind="directory", path=s.path, reason="left by an uninstall")
        for s in sweeps
    )


def _logs_left(host: Host) -> Iterator[Sweep]:
    for path in (layout.LOGS, layout.TOOL_LOGS):
        entry = host.look(path)
        if entry and entry.kind == "directory":
            yield Sweep(what="contents", path=path)


def _carry_out(
    host: Host, receipt: Receipt, changes: tuple[Change, ...], reporter: Reporter, *, purge: bool
) -> None:
    supervisor = supervisor_called(receipt.supervisor, host)
    changing = (*changes, *removals(host))
    with all_or_nothing(
        host, supervisor, receipt.order, reporter, verb="uninstall", changing=changing
    ) as transaction:
        reporter.phase("stop everything")
        transaction.announce("deactivate")
        supervisor.deactivate(receipt.order)
        reporter.phase("remove what the receipt owns")
        for change in (*changes, *removals(host), receipt_change(host, None)):
            if change.kind in {"file", "link"}:
                transaction.make(change)
        supervisor.reread()
        for sweep in _sweeps(host, receipt, purge=purge):
            transaction.sweep_later(sweep)
        if names := [c.path for c in changes if c.kind == "package" and c.writes]:
            transaction.sweep_later(Sweep(what="packages", path=" ".join(names)))


def _packages(host: Host, receipt: Receipt, *, purge: bool) -> Iterator[Change]:
    """Yield what becomes of packages that we brought: none goes that somebody needs by now."""
    if not receipt.packages or host.image():
        return
    stays = dict.fromkeys(receipt.packages, "packages stay without --purge")
    if purge:
        going, stays = removable(host, receipt.packages)
        for name in going:
            yield Change(
                action=Action.REMOVE, kind="package", path=name, reason="brought by install"
            )
    for name, reason in stays.items():
        yield Change(action=Action.KEEP, kind="package", path=name, reason=reason)


def _sweeps(host: Host, receipt: Receipt, *, purge: bool) -> Iterator[Sweep]:
    """Yield what services, also of earlier profiles, left, then every folder and the account."""
    for path in receipt.directories:
        entry = host.look(path)
        theirs = entry and entry.kind == "directory" and entry.owner == layout.USER
        if theirs and (purge or path != layout.LOGS):
            yield Sweep(what="contents", path=path)
    if purge and host.look(layout.TOOL_LOGS):
        yield Sweep(what="contents", path=layout.TOOL_LOGS)
    kept = (layout.WEIGHTS_HASHES, layout.PACKAGES_LEFT_OUT)
    for path in (*kept, *([layout.WEIGHTS_MANIFEST] if purge else [])):
        yield Sweep(what="file", path=path)
    for path in (layout.GENERATIONS, *sorted(receipt.directories, reverse=True)):
        # The logs' user goes, and the next account with its number must not read them.
        owner = "root" if path == layout.LOGS else ""
        yield Sweep(what="folder", path=path, owner=owner)
    for name in receipt.accounts:
        yield Sweep(what="account", path=name)
