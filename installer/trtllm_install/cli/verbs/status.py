"""``trtllm-install status``."""

import argparse
import sys

from trtllm_install.app.cut_off import cut_off_note
from trtllm_install.app.operate import Status
from trtllm_install.app.overview import read_overview
from trtllm_install.app.verify import verify
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import counted, live_values, try_it
from trtllm_install.cli.status_view import (
    gpu_lines,
    gpu_values,
    head_line,
    keyless_lines,
    now,
    rows_of,
    table_lines,
    traffic_values,
)
from trtllm_install.cli.verbs.drain import backend_values
from trtllm_install.cli.wiring import HOST, host_of, moves_cursor, reading
from trtllm_install.host.protocol import Host
from trtllm_install.model.drift import Weight
from trtllm_install.model.errors import ConfigError, ExitCode
from trtllm_install.probes.keys import probe_keys


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show where each service is; 6 when one does not serve."""
    host = host_of(arguments, HOST)
    if arguments.watch:
        return _watch(host, envelope)
    if note := cut_off_note(host):
        envelope.note(note)
    overview = read_overview(host)
    status = overview.status
    envelope.add({"profile": status.receipt.profile, "instances": live_values(status.services)})
    envelope.add({"installation": installation_values(status)})
    envelope.add({"backends": backend_values(tuple(overview.backends.values()))})
    envelope.add({"gpus": gpu_values(overview.gpus), "unknown": list(overview.unknown)})
    envelope.add({"traffic": traffic_values(overview.traffic)})
    with reading(arguments, envelope) as tell:
        verified = verify(host, tell)
    differ, unseen = len(verified.of(Weight.DRIFT)), len(verified.of(Weight.UNKNOWN))
    envelope.add({"drifted": differ})
    envelope.add({"lets_nobody_in": overview.keyless})
    envelope.say(head_line(overview))
    if image := host.image():
        envelope.say(f"in {image}: nothing runs before it is booted")
        return ExitCode.DONE
    for line in keyless_lines(overview):
        envelope.say(line)
    envelope.say()
    for line, _ in table_lines(rows_of(overview, now())):
        envelope.say(line)
    for line in gpu_lines(overview):
        envelope.say(line)
    for line in overview.unknown:
        envelope.say(f"unknown: {line}")
    envelope.say(_drift_words(differ, unseen))
    if overview.serving:
        envelope.say()
        for line in try_it(status.receipt.endpoint, status.receipt.models, keyed=probe_keys(host)):
            envelope.say(line)
    return ExitCode.DONE if overview.serving else ExitCode.GATE_FAILED


def _drift_words(differ: int, unseen: int) -> str:
    ask = "sudo trtllm-install verify"
    if differ:
        return f"drift: {counted(differ, 'thing')} not as installed: {ask}"
    return (
        f"drift: none seen, {counted(unseen, 'thing')} not looked at: {ask}"
        if unseen
        else "drift: none"
    )


def _watch(host: Host, envelope: Envelope) -> ExitCode:
    if host.image():
        raise ConfigError("cannot watch an image: nothing runs in it", hint="leave out --watch")
    if envelope.output != "text":
        raise ConfigError(
            "cannot watch in JSON: it has no end", hint="leave out --output, or --watch"
        )
    if not sys.stdout.isatty() or not moves_cursor():
        raise ConfigError(
            "cannot redraw the table: standard output is no terminal that can be redrawn",
            hint="trtllm-install status, which shows it once",
        )
    from trtllm_install.cli.status_screen import watch_status  # noqa: PLC0415 (rich is 60 ms)

    watch_status(host)
    return ExitCode.DONE


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
