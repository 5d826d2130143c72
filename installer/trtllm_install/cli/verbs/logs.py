"""``trtllm-install logs``."""

import argparse
import math
from contextlib import suppress
from typing import Final

from trtllm_install.app.operate import chosen_services, installed_receipt
from trtllm_install.app.services import supervisor_called
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ConfigError, ExitCode, NeedsRoot

_SHOWN: Final = "trtllm-install logs"


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show the last lines of a service, and how to follow it, or what comes from now on."""
    receipt = installed_receipt(HOST)
    (name,) = chosen_services(receipt, (arguments.service,))
    supervisor = supervisor_called(receipt.supervisor, HOST)
    if arguments.follow:
        return _follow(supervisor.log_command(name, lines=arguments.lines), envelope)
    text = supervisor.log(name, lines=arguments.lines)
    if arguments.lines and not text.strip() and not HOST.is_root():
        # The journal shows a user nothing of others', and says so to terminals only.
        raise NeedsRoot(f"cannot read the log of {name}: not root", hint=f"sudo {_SHOWN} {name}")
    envelope.add({"profile": receipt.profile, "log": text.splitlines()})
    envelope.say(text.rstrip("\n"))
    envelope.say(f"follow it: {_SHOWN} {name} -f")
    return ExitCode.DONE


def _follow(command: tuple[str, ...], envelope: Envelope) -> ExitCode:
    """Pass lines on as they come; Ctrl-C is how it ends, so it is no failure."""
    if envelope.output != "text":
        raise ConfigError(
            "cannot follow a log in JSON: it has no end", hint="leave out --output, or --follow"
        )
    with suppress(KeyboardInterrupt):
        HOST.follow(command, heard=envelope.say_now, tick=lambda: True, silence=math.inf)
    return ExitCode.DONE
