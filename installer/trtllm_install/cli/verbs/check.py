"""``trtllm-install check``."""

import argparse

from trtllm_install.app.observe import look_at
from trtllm_install.app.smoke import smoke_sentence, with_smoke
from trtllm_install.app.undo import cut_off_note
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import counted, finding_lines, finding_values, smoke_values
from trtllm_install.cli.wiring import HOST, options_of, reading
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Say every reason why the models would not run here; changes nothing."""
    if note := cut_off_note(HOST):
        envelope.note(note)
    options = options_of(arguments)
    with reading(arguments, envelope) as tell:
        judged = look_at(HOST, options, tell)
        if options.smoke:
            judged = with_smoke(HOST, judged, options)
            envelope.add({"smoke": smoke_values(judged.facts.smoke)})
        tell.findings(judged.findings)
    wanted = judged.wanted.installation
    envelope.add({"findings": finding_values(judged.findings)})
    for line in finding_lines(judged.findings):
        envelope.say(line)
    if options.smoke:
        envelope.say(smoke_sentence(judged.facts))
    errors = judged.errors
    verdict = f"cannot run: {counted(len(errors), 'error')}" if errors else "can run here"
    envelope.say(f"profile {wanted.profile} {verdict}")
    return ExitCode.PREFLIGHT_FAILED if errors else ExitCode.DONE
