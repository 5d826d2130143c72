"""Removes what the receipt owns, keeps weights and edits, says what stays."""

from dataclasses import dataclass

from trtllm_install.app.converge import undo_what_was_cut_off
from trtllm_install.app.desired import see_tree
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.apply.transaction import apply_all
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.desired import Desired
from trtllm_install.model.errors import NeedsRoot
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Change
from trtllm_install.plan.tree import plan_removal
from trtllm_install.receipts.store import read_receipt, receipt_change


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstalled:
    """What is gone and what is left."""

    removed: tuple[Change, ...] = ()
    left: tuple[str, ...] = ()


def uninstall(host: Host, reporter: Reporter, *, purge: bool) -> Uninstalled:
    """Stop and remove everything of ours; twice is fine.

    Weights, edited files and, without ``purge``, logs stay. Raises
    NeedsRoot, Locked, and whatever ``apply_all`` raises; services are stopped by then.
    """
    if not host.is_root():
        raise NeedsRoot("cannot uninstall: not root", hint="sudo trtllm-install uninstall")
    with host.lock(layout.LOCK):
        undo_what_was_cut_off(host, reporter)
        receipt = read_receipt(host)
        if receipt is None:
            return Uninstalled()
        supervisor = supervisor_called(receipt.supervisor, host)
        reporter.phase("stop everything")
        supervisor.deactivate(receipt.order)
        reporter.phase("remove what the receipt owns")
        _empty_volatile(host, receipt, purge=purge)
        changes = plan_removal(Desired(), see_tree(host, Desired(), receipt), receipt)
        apply_all(host, (*changes, receipt_change(host, None)), told=reporter.change)
        supervisor.forget()
        if host.look(layout.LOGS):
            # Its user is gone, and the next account with that number must not read them.
            host.make_directory(layout.LOGS, mode=0o750, owner="root")
        _remove_empty(host, receipt)
        left = [c.path for c in changes if c.kind != "account" and host.look(c.path)]
        return Uninstalled(removed=changes, left=tuple(sorted(left)))


def _empty_volatile(host: Host, receipt: Receipt, *, purge: bool) -> None:
    """Remove what services, also of earlier profiles, left; it can be made again, logs cannot."""
    for folder in receipt.directories:
        entry = host.look(folder)
        theirs = entry and entry.kind == "directory" and entry.owner == layout.USER
        if theirs and (purge or folder != layout.LOGS):
            host.remove_tree(folder)


def _remove_empty(host: Host, receipt: Receipt) -> None:
    """Folders that held the receipt or the journal are empty only now."""
    for folder in sorted(receipt.directories, reverse=True):
        entry = host.look(folder)
        if entry and entry.kind == "directory" and not host.names_in(folder):
            host.remove(folder)
