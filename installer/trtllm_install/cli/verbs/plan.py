"""``trtllm-install plan``."""

import argparse

from trtllm_install.app.converge import plan_step
from trtllm_install.app.observe import look_at
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.undo import cut_off_note
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import (
    finding_lines,
    finding_values,
    plan_lines,
    plan_summary,
    plan_values,
)
from trtllm_install.cli.wiring import HOST, options_of, reading
from trtllm_install.model.errors import ExitCode
from trtllm_install.model.findings import Severity


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show exactly what ``install`` would do; changes nothing."""
    if note := cut_off_note(HOST):
        envelope.note(note)
    options = options_of(arguments)
    envelope.add({"dry_run": True})
    with reading(arguments, envelope) as tell:
        judged = look_at(HOST, options, tell)
        tell.findings(judged.findings)
        supervisor = supervisor_called(judged.wanted.installation.supervisor, HOST)
        plan = plan_step(HOST, supervisor, judged, options).plan
        tell.planned(plan)
    envelope.add(
        {
            "pending": plan.count,
            "findings": finding_values(judged.findings),
            "changes": plan_values(plan),
        }
    )
    shown = [f for f in judged.findings if f.severity is not Severity.INFO]
    for line in (*plan_lines(plan), *finding_lines(shown)):
        envelope.say(line)
    envelope.say(plan_summary(plan) if plan.count else "nothing to change")
    if judged.errors:
        envelope.say("install would refuse until the errors above are mended")
    pending = plan.count and arguments.detailed_exitcode
    return ExitCode.CHANGES_PENDING if pending else ExitCode.DONE
