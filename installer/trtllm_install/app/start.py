"""Brings the services to what was written: the models first, then what stands in front of them."""

from collections.abc import Callable, Sequence

from trtllm_install.app.gate import await_serving
from trtllm_install.app.prove import PROXY
from trtllm_install.app.reporter import Live, Reporter
from trtllm_install.app.services import forget_ended, read_live
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import GateFailed, HostError
from trtllm_install.model.tree import Plan, ServiceAction, ServiceChange
from trtllm_install.proxy.generation import await_generation
from trtllm_install.supervisors.protocol import Supervisor

# Hears what a supervisor is about to be told: the word, and the service if it is about one.
Announce = Callable[[str, str], None]


def start_services(
    host: Host,
    supervisor: Supervisor,
    starting: Sequence[ServiceChange],
    services: Sequence[str],
    reporter: Reporter,
    *,
    announce: Announce,
    timeout_s: float,
) -> tuple[Live, ...]:
    """Let what was written be in force; return the states once all ``services`` serve.

    A proxy that runs is touched last, when its models serve: until then it goes on as it
    was. Raises GateFailed as ``await_serving`` does, and when the supervisor refuses an
    order about a service; HostError when it cannot take up what was written.
    """
    announce("activate", "")
    forget_ended(host, [change.name for change in starting])
    supervisor.activate()
    first, last = _in_turns(starting)
    reporter.phase(
        "start, and wait until everything serves" if first else "wait until everything serves"
    )
    replaced = _begin(host, supervisor, first, reporter, announce)
    awaited = [name for name in services if not (last and name == PROXY)]
    await_serving(host, supervisor, awaited, reporter, timeout_s=timeout_s, replaced=replaced)
    if last:
        reporter.phase("let the proxy take up the change")
        replaced = _begin(host, supervisor, last, reporter, announce)
        await_serving(host, supervisor, [PROXY], reporter, timeout_s=timeout_s, replaced=replaced)
    return read_live(host, services)


def order(
    supervisor: Supervisor,
    changes: Sequence[ServiceChange],
    reporter: Reporter,
    announce: Announce,
) -> None:
    """Announce and give the orders; raises GateFailed when the supervisor refuses one."""
    for change in changes:
        announce(change.action.value, change.name)
        try:
            supervisor.carry_out(change)
        except HostError as error:
            raise GateFailed(
                f"cannot {change.action.value} {change.name}: {error.message}", hint=error.hint
            ) from error
        reporter.service(change)


def await_reload(host: Host, plan: Plan, generation: str) -> None:
    """Return once the proxy answers with ``generation``; raises GateFailed if it does not.

    A routes.lua that the operator edited carries a generation of its own: then there is
    nothing to ask for.
    """
    edited = any(change.path == f"{layout.PROXY}/routes.lua" for change in plan.kept)
    touched = any(change.name == PROXY for change in plan.starting)
    if touched and not edited:
        await_generation(host, generation)


def _in_turns(
    starting: Sequence[ServiceChange],
) -> tuple[Sequence[ServiceChange], Sequence[ServiceChange]]:
    """What is begun at once, and the change of a running proxy."""
    last = [c for c in starting if c.name == PROXY and c.action is not ServiceAction.START]
    return [c for c in starting if c not in last], last


def _begin(
    host: Host,
    supervisor: Supervisor,
    changes: Sequence[ServiceChange],
    reporter: Reporter,
    announce: Announce,
) -> dict[str, int | None]:
    """Give the orders and return the launcher pids that restarts replace."""
    restarted = [c.name for c in changes if c.action is ServiceAction.RESTART]
    replaced = {live.name: live.pid for live in read_live(host, restarted)}
    order(supervisor, changes, reporter, announce)
    return replaced
