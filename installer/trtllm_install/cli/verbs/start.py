"""``trtllm-install start``, ``stop`` and ``restart``."""

import argparse

from trtllm_install.app.operate import operate, wait
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import live_values
from trtllm_install.cli.wiring import HOST, working
from trtllm_install.model.errors import ExitCode, Interrupted
from trtllm_install.model.tree import ServiceAction


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Give the order; after start and restart, wait until it has worked."""
    action = ServiceAction(arguments.verb)
    names = tuple(arguments.services)
    with working(HOST, arguments, envelope) as (host, tell):
        ordered = operate(host, action, names, tell)
        envelope.add({"changed": True})
        if action is ServiceAction.STOP:
            envelope.say(f"stopped: {', '.join(ordered.services)}")
            return ExitCode.DONE
        if arguments.no_wait:
            envelope.say(f"ordered: {action.value} {', '.join(ordered.services)}")
            return ExitCode.DONE
        try:
            states = wait(
                host, tell, names=names, timeout_s=arguments.timeout, replaced=ordered.replaced
            )
        except KeyboardInterrupt as stop:
            by = f" by {stop}" if str(stop) else ""
            # The same command again would begin a load anew that is under way.
            raise Interrupted(
                f"interrupted{by}: the {action.value} was ordered and goes on by itself",
                hint="trtllm-install wait",
            ) from None
    envelope.add({"instances": live_values(states)})
    envelope.say(f"healthy: {', '.join(live.name for live in states)}")
    return ExitCode.DONE
