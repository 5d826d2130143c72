"""The receipt on disk."""

from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.sealed import UnusableRecord, seal, unseal
from trtllm_install.model.tree import Action, Change
from trtllm_install.receipts.record import receipt_from, receipt_record

_SCHEMA = 2


def read_receipt(host: Host) -> Receipt | None:
    """Return what was installed last, None on a host without us.

    Raises ConfigError when the receipt is from a newer tool, is damaged or was edited:
    guessing what is ours would remove what is not.
    """
    raw = host.read(layout.RECEIPT)
    if raw is None:
        return None
    try:
        record = unseal(raw, (_SCHEMA,))
        del record["schema"]
        return receipt_from(record)
    except UnusableRecord as error:
        hint = "use the newer trtllm-install that wrote it" if error.newer else _WAY_OUT
        raise ConfigError(f"cannot use {layout.RECEIPT}: {error}", hint=hint) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"cannot use {layout.RECEIPT}: it cannot be understood: {error!r}", hint=_WAY_OUT
        ) from error


def receipt_change(host: Host, receipt: Receipt | None) -> Change:
    """Return the change that records ``receipt`` (None: forgets it), the last of a plan."""
    old = see(host, layout.RECEIPT)
    return Change(
        action=Action.REMOVE if receipt is None else Action.REPLACE if old else Action.CREATE,
        kind="file",
        path=layout.RECEIPT,
        reason="what is installed",
        old=old,
        content=b"" if receipt is None else encode(receipt),
    )


def encode(receipt: Receipt) -> bytes:
    """Return the receipt as it is written."""
    return seal(receipt_record(receipt), _SCHEMA)


_WAY_OUT = (
    f"restore it from a backup, or move it away and install again, which takes over "
    f"what it finds: sudo mv {layout.RECEIPT}{{,.damaged}}"
)
