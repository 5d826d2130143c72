"""``trtllm-install logs``."""

import argparse
import math
from contextlib import suppress
from typing import Final

from trtllm_install.app.operate import chosen_services, installed_receipt
from trtllm_install.app.services import supervisor_called
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ConfigError, ExitCode, HostError, NeedsRoot
from trtllm_install.supervisors.protocol import Supervisor

_SHOWN: Final = "trtllm-install logs"


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show the last lines of a service, and how to follow it, or what comes from now on."""
    receipt = installed_receipt(HOST)
    (name,) = chosen_services(receipt, (arguments.service,))
    supervisor = supervisor_called(receipt.supervisor, HOST)
    if arguments.follow:
        return _follow(supervisor.log_command(name, lines=arguments.lines), envelope)
    text = _read(supervisor, name, arguments.lines)
    envelope.add({"profile": receipt.profile, "log": text.splitlines()})
    envelope.say(text.rstrip("\n"))
    envelope.say(f"follow it: sudo {_SHOWN} {name} -f")
    return ExitCode.DONE


def _read(supervisor: Supervisor, name: str, lines: int) -> str:
    """Return the last lines; raises NeedsRoot where others than root may not see them."""
    hidden = NeedsRoot(f"cannot read the log of {name}: not root", hint=f"sudo {_SHOWN} {name}")
    try:
        text = supervisor.log(name, lines=lines)
    except HostError as error:
        if HOST.is_root():
            raise
        raise hidden from error
    if lines and not text.strip() and not HOST.is_root():
        raise hidden  # the journal shows a user nothing of others'
    return text


def _follow(command: tuple[str, ...], envelope: Envelope) -> ExitCode:
    """Pass lines on as they come; Ctrl-C is how it ends, so it is no failure."""
    if envelope.output != "text":
        raise ConfigError(
            "cannot follow a log in JSON: it has no end", hint="leave out --output, or --follow"
        )
    with suppress(KeyboardInterrupt):
        HOST.follow(command, heard=envelope.say_now, tick=lambda: True, silence=math.inf)
    return ExitCode.DONE
