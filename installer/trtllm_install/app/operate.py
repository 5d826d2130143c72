"""What an operator does with an installed host: status, start, stop, restart, wait, logs."""

from contextlib import suppress
from dataclasses import dataclass

from trtllm_install.app.gate import await_serving
from trtllm_install.app.prove import PROXY
from trtllm_install.app.reporter import Live, Reporter
from trtllm_install.app.services import (
    forget_ended,
    make_run_folder,
    read_live,
    supervisor_called,
)
from trtllm_install.app.undo import undo_what_was_cut_off
from trtllm_install.config.nearest import nearest
from trtllm_install.engines.store import read_engines
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, GateFailed, NeedsRoot
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import ServiceAction, ServiceChange
from trtllm_install.proxy.health import await_proxy_health
from trtllm_install.receipts.store import read_receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """An installed host at this moment."""

    receipt: Receipt
    services: tuple[Live, ...]
    engine: str | None  # version in use


def installed_receipt(host: Host) -> Receipt:
    """Return the receipt; raises ConfigError on a host where nothing is installed."""
    receipt = read_receipt(host)
    if receipt is None:
        raise ConfigError(
            "cannot find an installation on this host: no receipt",
            hint="sudo trtllm-install --profile multi",
        )
    return receipt


def chosen_services(receipt: Receipt, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the named services in start order, all when none is named; ConfigError for others."""
    known = receipt.order
    for name in names:
        if name not in known:
            raise ConfigError(
                f"cannot find service {name}: {nearest(name, list(known))}",
                hint="trtllm-install status",
            )
    return tuple(name for name in known if not names or name in names)


def read_status(host: Host) -> Status:
    """Return where every installed service is; needs no root."""
    receipt = installed_receipt(host)
    engine = next((e.version for e in read_engines(host) if e.current), None)
    return Status(receipt=receipt, services=read_live(host, receipt.order), engine=engine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Services that were told something, and the launchers that a restart replaces."""

    services: tuple[str, ...]
    replaced: dict[str, int | None]


def operate(
    host: Host, action: ServiceAction, names: tuple[str, ...], reporter: Reporter
) -> Ordered:
    """Start, stop or restart services, all when none is named. Raises Locked as install does.

    A run that was cut off is undone before; raises NotUndone when it cannot be.
    """
    if not host.is_root():
        word = action.value
        raise NeedsRoot(f"cannot {word}: not root", hint=f"sudo trtllm-install {word}")
    with host.lock(layout.LOCK):
        undo_what_was_cut_off(host, reporter)
        receipt = installed_receipt(host)
        reporter.profile(receipt.profile)
        chosen = chosen_services(receipt, names)
        supervisor = supervisor_called(receipt.supervisor, host)
        restarted = chosen if action is ServiceAction.RESTART else ()
        replaced = {live.name: live.pid for live in read_live(host, restarted)}
        if action is ServiceAction.STOP and not names:
            supervisor.stop_all(chosen)
            for name in chosen:
                reporter.service(ServiceChange(action=action, name=name, reason="asked for"))
            return Ordered(services=chosen, replaced=replaced)
        if action is not ServiceAction.STOP:
            forget_ended(host, chosen)
        if action is ServiceAction.START:
            make_run_folder(host)
            if not names:
                supervisor.activate()  # also what --no-start has left to do
        for name in chosen:
            change = ServiceChange(action=action, name=name, reason="asked for")
            supervisor.carry_out(change)
            reporter.service(change)
        return Ordered(services=chosen, replaced=replaced)


def wait(
    host: Host,
    reporter: Reporter,
    *,
    names: tuple[str, ...] = (),
    timeout_s: float,
    replaced: dict[str, int | None] | None = None,
) -> tuple[Live, ...]:
    """Return once the services serve; raises GateFailed as ``await_serving`` does.

    Where the proxy is one of them it is given the moment that it needs to hear of it, so
    that the next request is not refused; what is drained there is left so.
    """
    receipt = installed_receipt(host)
    reporter.profile(receipt.profile)
    chosen = chosen_services(receipt, names)
    states = await_serving(
        host,
        supervisor_called(receipt.supervisor, host),
        chosen,
        reporter,
        timeout_s=timeout_s,
        replaced=replaced or {},
    )
    if PROXY in chosen:
        with suppress(GateFailed):
            await_proxy_health(host, receipt.endpoint, [name for name in chosen if name != PROXY])
    return states
