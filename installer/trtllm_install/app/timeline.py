"""The last starts of every service, from the records of their launchers."""

import json
from collections.abc import Sequence

from trtllm_install.app.operate import chosen_services, installed_receipt
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError, HostError, NeedsRoot
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.timeline import Start, parse_starts, side_by_side


def read_timeline(
    host: Host, names: Sequence[str], *, back: int = 1
) -> tuple[Receipt, tuple[Start, ...]]:
    """Return the last start of each service, or the one ``back`` starts ago, side by side.

    Raises ConfigError where nothing is installed or no such start is recorded, and
    NeedsRoot where the records may not be read.
    """
    receipt = installed_receipt(host)
    chosen = chosen_services(receipt, tuple(names))
    found = [_read(host, name) for name in chosen]
    starts = [starts[-back] for starts in found if len(starts) >= back]
    if not starts:
        known = max(map(len, found), default=0)
        raise ConfigError(
            f"cannot show start {back}: {known} are recorded",
            hint="sudo trtllm-install timeline" if known else "sudo trtllm-install start",
        )
    return receipt, side_by_side(starts)


def _read(host: Host, name: str) -> tuple[Start, ...]:
    path = layout.timeline(name)
    try:
        raw = host.read(path)
    except HostError as error:
        if host.is_root():
            raise
        raise NeedsRoot(
            f"cannot read {path}: not root", hint="sudo trtllm-install timeline"
        ) from error
    try:
        return parse_starts(name, json.loads(raw or b"{}"))
    except ValueError:
        return ()
