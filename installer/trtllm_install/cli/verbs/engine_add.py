"""``trtllm-install engine add``."""

import argparse
from datetime import datetime, timezone

from trtllm_install.app.bundle_install import add_from_bundle
from trtllm_install.app.engine_add import Wish, add_engine
from trtllm_install.app.observe import Refused
from trtllm_install.cli.engine_words import engine_lines, engine_values
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import finding_values
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST, working
from trtllm_install.model.errors import ExitCode
from trtllm_install.receipts.store import read_receipt


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Build or adopt an engine."""
    wish = Wish(
        version=arguments.name,
        today=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        adopt=_absolute(arguments.path),
        wheels=_absolute(arguments.source),
        index=arguments.index or "",
        python=_absolute(arguments.python),
        accept=tuple(arguments.accept),
    )
    with working(HOST, arguments, envelope) as (host, tell):
        try:
            entry = host.look(wish.wheels) if wish.wheels else None
            if entry and entry.kind == "file":
                added = add_from_bundle(host, wish.wheels, wish, tell)
            else:
                added = add_engine(host, wish, tell)
        except Refused as refused:
            envelope.add({"findings": finding_values(refused.findings)})
            raise
        tell.findings(added.findings)
    engine = added.engine
    envelope.add(
        {
            "changed": added.changed,
            "findings": finding_values(added.findings),
            "engines": engine_values([engine], None),
        }
    )
    envelope.say(f"engine {engine.version} {'is added' if added.changed else 'was here already'}")
    for line in engine_lines([engine], None):
        envelope.say(line)
    if not engine.current:
        first = "engine use" if read_receipt(HOST) else "--profile multi --engine"
        envelope.say(f"use it: sudo trtllm-install {first} {engine.version}")
    return ExitCode.DONE


def _absolute(path: str | None) -> str:
    return absolute(path) if path else ""
