"""``trtllm-install logs``."""

import argparse

from trtllm_install.app.operate import chosen_services, installed_receipt
from trtllm_install.app.services import supervisor_called
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show the last lines of a service, and how to follow it."""
    receipt = installed_receipt(HOST)
    (name,) = chosen_services(receipt, (arguments.service,))
    supervisor = supervisor_called(receipt.supervisor, HOST)
    text = supervisor.log(name, lines=arguments.lines)
    envelope.add({"profile": receipt.profile, "log": text.splitlines()})
    envelope.say(text.rstrip("\n"))
    envelope.say(f"follow it: {' '.join(supervisor.log_command(name))}")
    return ExitCode.DONE
