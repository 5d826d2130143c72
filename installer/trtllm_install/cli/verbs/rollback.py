"""``trtllm-install rollback``."""

import argparse
import time

from trtllm_install.app.converge import Step
from trtllm_install.app.rollback import Kept, kept_generations, plan_rollback, rollback
from trtllm_install.app.undo import Undone
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import (
    counted,
    live_values,
    plan_lines,
    plan_summary,
    plan_values,
    try_it,
)
from trtllm_install.cli.wiring import HOST, host_of, working
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ExitCode
from trtllm_install.probes.keys import probe_keys


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Return to an earlier generation, or show what that would do."""
    machine = host_of(arguments, HOST)
    if arguments.list:
        return _list(machine, envelope)
    if arguments.plan:
        return _plan(machine, envelope, arguments.to)
    with working(machine, arguments, envelope) as (host, tell):
        done = rollback(host, tell, to=arguments.to, timeout_s=arguments.timeout)
    if isinstance(done, Undone):
        envelope.add({"changed": True})
        envelope.say(f"undone: a run of {done.verb} that was cut off: {done.text}")
        return ExitCode.DONE
    step = done.step
    plan = step.plan
    envelope.add(
        {
            "changed": not step.is_empty,
            "profile": step.outline.profile,
            "changes": plan_values(plan),
            "instances": live_values(done.outcome.services),
        }
    )
    if image := machine.image():
        envelope.say(f"done: {counted(plan.count, 'change')}; {_named(step)} is in {image} again")
        return ExitCode.DONE
    envelope.say(f"done: {counted(plan.count, 'change')}; {_named(step)} serves again")
    envelope.say()
    for line in try_it(step.outline.endpoint, step.outline.models, keyed=probe_keys(machine)):
        envelope.say(line)
    return ExitCode.DONE


def _plan(host: Host, envelope: Envelope, to: int | None) -> ExitCode:
    step = plan_rollback(host, to=to)
    envelope.add(
        {
            "dry_run": True,
            "profile": step.outline.profile,
            "pending": step.plan.count,
            "changes": plan_values(step.plan),
        }
    )
    for line in plan_lines(step.plan):
        envelope.say(line)
    envelope.say(f"to {_named(step)} {plan_summary(step.plan)}")
    return ExitCode.DONE


def _list(host: Host, envelope: Envelope) -> ExitCode:
    kept = kept_generations(host)
    current = [one.generation.receipt.profile for one in kept if one.is_current]
    envelope.add({"profile": current[0] if current else None})
    envelope.add({"generations": [_values(one) for one in kept]})
    for one in kept:
        receipt = one.generation.receipt
        mark = "*" if one.is_current else " "
        day = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.kept_at))
        simulated = ", simulated engine" if receipt.simulate else ""
        envelope.say(
            f"{mark} {one.generation.number:<5}{day}  profile {receipt.profile}{simulated}, "
            f"{', '.join(receipt.order)}, by {receipt.tool_version}"
        )
    if not kept:
        envelope.say("no generation is kept")
    return ExitCode.DONE


def _values(one: Kept) -> dict[str, object]:
    receipt = one.generation.receipt
    return {
        "number": one.generation.number,
        "current": one.is_current,
        "kept_at": one.kept_at,
        "profile": receipt.profile,
        "simulate": receipt.simulate,
        "models": list(receipt.models),
        "tool_version": receipt.tool_version,
    }


def _named(step: Step) -> str:
    return f"generation {step.outline.generation}, profile {step.outline.profile},"
