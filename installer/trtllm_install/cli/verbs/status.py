"""``trtllm-install status``."""

import argparse

from trtllm_install.app.cut_off import cut_off_note
from trtllm_install.app.operate import Status, read_status
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import live_values, try_it
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ExitCode
from trtllm_install.model.states import SERVING


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:  # noqa: ARG001 (one shape)
    """Show where each service is; 6 when one does not serve."""
    if note := cut_off_note(HOST):
        envelope.note(note)
    status = read_status(HOST)
    receipt = status.receipt
    serving = all(live.state in SERVING for live in status.services)
    envelope.add({"profile": receipt.profile, "instances": live_values(status.services)})
    envelope.add({"installation": installation_values(status)})
    simulated = ", simulated engine" if receipt.simulate else ""
    envelope.say(
        f"profile {receipt.profile} under {receipt.supervisor}{simulated}, "
        f"generation {receipt.generation}, {receipt.endpoint}"
    )
    for live in status.services:
        port = f":{live.port}" if live.port else ""
        envelope.say(f"  {live.name:<12}{live.state:<11}{port:<7}{live.status}")
    if serving:
        envelope.say()
        for line in try_it(receipt.endpoint, receipt.models):
            envelope.say(line)
    return ExitCode.DONE if serving else ExitCode.GATE_FAILED


def installation_values(status: Status) -> dict[str, object]:
    """Return for JSON what is installed, with the versions that it is of."""
    receipt = status.receipt
    return {
        "generation": receipt.generation,
        "supervisor": receipt.supervisor,
        "simulate": receipt.simulate,
        "endpoint": receipt.endpoint,
        "models": list(receipt.models),
        "engine": status.engine,
        "tool_version": receipt.tool_version,
    }
