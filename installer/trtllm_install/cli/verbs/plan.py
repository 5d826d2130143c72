"""``trtllm-install plan``."""

import argparse
import sys

from trtllm_install.app.converge import plan_step
from trtllm_install.app.cut_off import cut_off_note
from trtllm_install.app.observe import look_at
from trtllm_install.app.services import supervisor_called
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.memory_view import memory_lines, memory_values
from trtllm_install.cli.present import (
    finding_lines,
    finding_values,
    plan_lines,
    plan_summary,
    plan_values,
)
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST, host_of, options_of, reading
from trtllm_install.model.errors import ExitCode
from trtllm_install.model.findings import Severity
from trtllm_install.model.memory import MemoryPlan


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show exactly what ``install`` would do; changes nothing."""
    host = host_of(arguments, HOST)
    if note := cut_off_note(host):
        envelope.note(note)
    options = options_of(arguments)
    envelope.add({"dry_run": True})
    with reading(arguments, envelope) as tell:
        judged = look_at(host, options, tell)
        tell.findings(judged.findings)
        supervisor = supervisor_called(judged.wanted.installation.supervisor, host)
        plan = plan_step(host, supervisor, judged, options).plan
        tell.planned(plan)
    envelope.add(
        {
            "pending": plan.count,
            "findings": finding_values(judged.findings),
            "changes": plan_values(plan),
            "unknown": list(plan.unknown),
        }
    )
    shown = [f for f in judged.findings if f.severity is not Severity.INFO]
    if arguments.memory or arguments.svg:
        envelope.add({"memory": memory_values(judged.memory)})
        _say_memory(judged.memory, envelope)
        if arguments.svg:
            _draw_memory(judged.memory, arguments.svg, envelope)
        envelope.say()
    diffs = () if arguments.memory or arguments.svg else plan_lines(plan)
    for line in (*diffs, *finding_lines(shown)):
        envelope.say(line)
    for line in plan.unknown:
        envelope.say(f"unknown: {line}")
    rest = "; what is unknown needs root: sudo trtllm-install plan" if plan.unknown else ""
    envelope.say(f"{plan_summary(plan) if plan.count else 'nothing to change'}{rest}")
    if judged.errors:
        envelope.say("install would refuse until the errors above are mended")
    pending = plan.count and arguments.detailed_exitcode
    return ExitCode.CHANGES_PENDING if pending else ExitCode.DONE


def _draw_memory(memory: MemoryPlan, file: str, envelope: Envelope) -> None:
    from trtllm_install.cli.memory_svg import memory_svg  # noqa: PLC0415 (text does without)

    path = absolute(file)
    HOST.write(path, memory_svg(memory).encode(), mode=0o644, owner="root")
    envelope.say(f"drawn: {path}")


def _say_memory(memory: MemoryPlan, envelope: Envelope) -> None:
    if envelope.output != "text" or not sys.stdout.isatty():
        for line in memory_lines(memory):
            envelope.say(line)
        return
    from rich.console import Console  # noqa: PLC0415 (rich is 60 ms)

    from trtllm_install.cli.memory_pen import draw  # noqa: PLC0415

    draw(memory, Console(highlight=False))
