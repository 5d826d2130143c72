"""``trtllm-install check``."""

import argparse

from trtllm_install.app.cut_off import cut_off_note
from trtllm_install.app.observe import Judged, look_at
from trtllm_install.app.options import Options
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import (
    counted,
    deep_values,
    deep_words,
    finding_lines,
    finding_values,
    scope_values,
    scope_words,
    smoke_values,
    system_values,
)
from trtllm_install.cli.wiring import HOST, host_of, options_of, reading, waiting
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Say every reason why the models would not run here; changes nothing that they use."""
    host = host_of(arguments, HOST)
    if note := cut_off_note(host):
        envelope.note(note)
    options = options_of(arguments)
    with reading(arguments, envelope) as tell:
        judged = look_at(host, options, tell)
        smoke = ""
        if options.smoke or judged.scope.smoke:
            judged, smoke = _smoke(host, envelope, judged, options)
        tell.findings(judged.findings)
    wanted = judged.wanted.installation
    if options.deep:
        judged = _deep(host, arguments, envelope, judged, options)
    envelope.add(
        {
            "findings": finding_values(judged.findings),
            "checks": scope_values(judged.scope),
            "system": system_values(judged.facts),
        }
    )
    for line in finding_lines(judged.findings):
        envelope.say(line)
    if smoke:
        envelope.say(smoke)
    verdict, code = _verdict(judged)
    envelope.say(f"profile {wanted.profile} {verdict}")
    return code


def _verdict(judged: Judged) -> tuple[str, ExitCode]:
    """Return what all of it comes to; what was not seen is never a pass."""
    if errors := judged.errors:
        return f"cannot run: {counted(len(errors), 'error')}", ExitCode.PREFLIGHT_FAILED
    if hidden := judged.hidden:
        parts = ", ".join(finding.subject for finding in hidden)
        return (
            f"may run here or not: {parts} can be seen by root only; run it again with sudo",
            ExitCode.NEEDS_ROOT,
        )
    if judged.scope.asked is not None:
        return f"may run here or not: {scope_words(judged.scope)}", ExitCode.DONE
    return "can run here", ExitCode.DONE


def _smoke(host: Host, envelope: Envelope, judged: Judged, options: Options) -> tuple[Judged, str]:
    from trtllm_install.app.smoke import smoke_sentence, with_smoke  # noqa: PLC0415 (as _deep's)

    judged = with_smoke(host, judged, options)
    envelope.add({"smoke": smoke_values(judged.facts.smoke)})
    return judged, smoke_sentence(judged.facts)


def _deep(
    host: Host,
    arguments: argparse.Namespace,
    envelope: Envelope,
    judged: Judged,
    options: Options,
) -> Judged:
    from trtllm_install.app.deep import look_deep  # noqa: PLC0415 (only --deep needs it)

    with waiting(arguments, envelope) as tell:
        tell.phase("read and hash the weights")
        judged, deep = look_deep(
            host, judged, options, tell, record=arguments.record, compare=arguments.compare
        )
    envelope.add({"weights": deep_values(deep)})
    envelope.say(deep_words(deep))
    return judged
