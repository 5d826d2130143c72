"""``trtllm-install [install]``."""

import argparse

from trtllm_install.app.install import Installed, install
from trtllm_install.app.observe import Refused
from trtllm_install.app.prove import endpoint_url
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import (
    counted,
    finding_values,
    live_values,
    plan_values,
    try_it,
)
from trtllm_install.cli.wiring import HOST, options_of, working
from trtllm_install.model.errors import ExitCode, GateFailed, Interrupted


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Make the host serve, and prove it."""
    with working(HOST, arguments, envelope) as (host, tell):
        try:
            done = install(host, options_of(arguments), tell)
        except Refused as refused:
            envelope.add({"findings": finding_values(refused.findings)})
            raise
        except (GateFailed, Interrupted) as ended:
            # Where it was not undone, whoever reads the answer must know.
            if tell.plan and ended.installed:
                envelope.add({"changed": tell.plan.count > 0, "changes": plan_values(tell.plan)})
            raise
    plan, wanted = done.step.plan, done.judged.wanted.installation
    envelope.add(
        {
            "changed": plan.count > 0,
            "findings": finding_values(done.judged.findings),
            "changes": plan_values(plan),
            "instances": live_values(done.outcome.services),
        }
    )
    envelope.say(f"done: {counted(plan.count, 'change')}; {_outcome(done)}")
    if done.outcome.proofs:
        envelope.say()
        for line in try_it(endpoint_url(wanted), [i.model for i in wanted.instances]):
            envelope.say(line)
    return ExitCode.DONE


def _outcome(done: Installed) -> str:
    wanted = done.judged.wanted.installation
    if not done.outcome.services:
        return f"profile {wanted.profile} is written and not started: trtllm-install start"
    simulated = " (simulated engine)" if wanted.simulate else ""
    return f"profile {wanted.profile} serves on {endpoint_url(wanted)}{simulated}"
