"""``trtllm-install doctor report``."""

import argparse
import json
import os
import time
from collections.abc import Sequence

from trtllm_install.app.doctor import Item, gather, packed
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import counted, finding_values, size_words
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST, reading
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError, ExitCode, InstallError
from trtllm_install.receipts.store import read_receipt


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Gather what a bug report needs into one file that only the caller can read."""
    now = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    folder = f"trtllm-report-{os.uname().nodename}-{stamp}"
    path = absolute(arguments.file or f"{folder}.tar.gz")
    if HOST.look(path) is not None:
        raise ConfigError(f"cannot write {path}: it is there already", hint="--file FILE")
    items = [*gather(HOST), _findings(HOST, arguments, envelope)]
    content = packed(items, folder=folder, at=now)
    HOST.write(path, content, mode=0o600, owner="root")
    missing = [item for item in items if not item.text]
    envelope.add({"changed": True, "report": report_values(path, content, items)})
    envelope.say(
        f"wrote {path} ({size_words(len(content))}, {counted(len(items) - len(missing), 'item')})"
    )
    if missing:
        root = "" if HOST.is_root() else "; root sees more: sudo trtllm-install doctor report"
        envelope.say(f"  {counted(len(missing), 'item')} could not be had, CONTENTS says why{root}")
    envelope.say("  known forms of secrets are masked; look through it before you send it:")
    envelope.say(f"  tar -xzf {path}")
    return ExitCode.DONE


def report_values(path: str, content: bytes, items: Sequence[Item]) -> dict[str, object]:
    """Return a report for JSON."""
    return {
        "path": path,
        "size": len(content),
        "items": [item.name for item in items if item.text],
        "missing": {item.name: item.note for item in items if not item.text},
    }


def _findings(host: Host, arguments: argparse.Namespace, envelope: Envelope) -> Item:
    """What ``check`` says, for the profile that is installed."""
    try:
        receipt = read_receipt(host)
        wanted = (
            Options(profile=receipt.profile, simulate=receipt.simulate)
            if receipt
            else Options(profile="multi")
        )
        with reading(arguments, envelope) as tell:
            judged = look_at(host, wanted, tell)
    except InstallError as error:
        return Item(name="check.json", text="", note=error.message)
    return Item(name="check.json", text=json.dumps(finding_values(judged.findings), indent=2))
