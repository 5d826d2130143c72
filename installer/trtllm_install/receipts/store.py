"""The receipt on disk."""

import json
from dataclasses import asdict

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.tree import Action, Change, Fingerprint, Seen

_SCHEMA = 1


def read_receipt(host: Host) -> Receipt | None:
    """Return what was installed last, None on a host without us.

    Raises ConfigError when the receipt is from a newer tool or is damaged: guessing
    what is ours would remove what is not.
    """
    raw = host.read(layout.RECEIPT)
    if raw is None:
        return None
    try:
        record = json.loads(raw)
        schema = record.pop("schema")
        if schema != _SCHEMA:
            raise ConfigError(
                f"cannot use {layout.RECEIPT}: schema {schema}, this tool knows {_SCHEMA}",
                hint="use the newer trtllm-install that wrote it",
            )
        return Receipt(
            **{
                **record,
                "files": {path: OwnedFile(**f) for path, f in record["files"].items()},
                **{k: tuple(record[k]) for k in ("directories", "accounts", "models", "order")},
                "services": {n: Fingerprint(**f) for n, f in record["services"].items()},
            }
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"cannot read {layout.RECEIPT}: {error}",
            hint=f"restore it from a backup, or move it away: mv {layout.RECEIPT}{{,.damaged}}",
        ) from error


def receipt_change(host: Host, receipt: Receipt | None) -> Change:
    """Return the change that records ``receipt`` (None: forgets it), the last of a plan."""
    raw = host.read(layout.RECEIPT)
    old = None
    if raw is not None:
        old = Seen(kind="file", mode=0o644, owner="root", content=raw)
    return Change(
        action=Action.REMOVE if receipt is None else Action.REPLACE if old else Action.CREATE,
        kind="file",
        path=layout.RECEIPT,
        reason="what is installed",
        old=old,
        content=b"" if receipt is None else _encode(receipt),
    )


def write_receipt(host: Host, receipt: Receipt) -> None:
    """Replace the receipt of a host whose files are in place."""
    host.write(layout.RECEIPT, _encode(receipt), mode=0o644, owner="root")


def _encode(receipt: Receipt) -> bytes:
    record = {"schema": _SCHEMA, **asdict(receipt)}
    return (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()
