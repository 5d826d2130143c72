"""``trtllm-install drain`` and ``undrain``."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from trtllm_install.app.drain import list_backends, set_draining
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST, reading, waiting
from trtllm_install.model.errors import ConfigError, ExitCode
from trtllm_install.proxy.backends import Backend


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Drain backends until nothing is in flight, or let them serve again."""
    if getattr(arguments, "list", False):
        with reading(arguments, envelope) as tell:
            return _answer(envelope, list_backends(HOST, tell))
    verb = arguments.verb
    if not arguments.backends:
        raise ConfigError(
            f"cannot {verb}: no backend was named", hint="sudo trtllm-install drain --list"
        )
    with waiting(arguments, envelope) as tell:
        done = set_draining(
            HOST,
            tuple(arguments.backends),
            tell,
            draining=verb == "drain",
            timeout_s=arguments.timeout,
        )
    envelope.add({"changed": bool(done.changed)})
    return _answer(envelope, done.backends)


def _answer(envelope: Envelope, backends: Sequence[Backend]) -> ExitCode:
    envelope.add({"backends": backend_values(backends)})
    width = max((18, *(len(backend.name) for backend in backends)))  # peers have long names
    for backend in backends:
        drained = ", drained" if backend.draining else ""
        state = f"{backend.state}{drained}, {backend.in_flight} in flight"
        envelope.say(f"  {backend.name:<{width}}  {state}")
    return ExitCode.DONE


def backend_values(backends: Sequence[Backend]) -> list[dict[str, object]]:
    """Return backends for JSON."""
    return [asdict(backend) for backend in backends]
