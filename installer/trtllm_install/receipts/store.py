"""The receipt on disk."""

import json
from dataclasses import asdict

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.tree import Fingerprint

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


def write_receipt(host: Host, receipt: Receipt) -> None:
    """Write the receipt, the last act of an install."""
    record = {"schema": _SCHEMA, **asdict(receipt)}
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    host.write(layout.RECEIPT, text.encode(), mode=0o644, owner="root")


def remove_receipt(host: Host) -> None:
    """Forget the installation, the last act of an uninstall."""
    host.remove(layout.RECEIPT)
