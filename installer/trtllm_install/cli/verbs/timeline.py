"""``trtllm-install timeline``."""

import argparse

from trtllm_install.app.timeline import read_timeline
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.moment import moment
from trtllm_install.cli.timeline_view import outcome_words, timeline_lines, timeline_values
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ConfigError, ExitCode
from trtllm_install.render.timeline_svg import render_timeline


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show a start of each service phase by phase, and draw it where a file is named."""
    if arguments.back < 1:
        raise ConfigError(
            "cannot show start 0: 1 is the last one", hint="sudo trtllm-install timeline"
        )
    receipt, starts = read_timeline(HOST, arguments.services, back=arguments.back)
    envelope.add({"profile": receipt.profile, "timeline": timeline_values(starts)})
    begun = moment(min(start.started_at for start in starts))
    title = f"start of profile {receipt.profile}, {begun}"
    envelope.say(title)
    envelope.say()
    for line in timeline_lines(starts):
        envelope.say(line)
    if arguments.svg:
        path = absolute(arguments.svg)
        text = render_timeline(starts, title, [outcome_words(start) for start in starts])
        HOST.write(path, text.encode(), mode=0o644, owner="root")
        envelope.say()
        envelope.say(f"drawn in {path}")
    return ExitCode.DONE
