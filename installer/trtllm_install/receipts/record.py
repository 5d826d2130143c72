"""A receipt as a record, the same in the receipt's file and in a generation's."""

from collections.abc import Iterable
from dataclasses import asdict
from posixpath import normpath
from typing import Any

from trtllm_install.model.receipt import OwnedFile, Receipt
from trtllm_install.model.tree import Fingerprint

_LISTS = ("directories", "accounts", "models", "order", "packages")


def receipt_record(receipt: Receipt) -> dict[str, object]:
    """Return the receipt as JSON can hold it."""
    return asdict(receipt)


def receipt_from(record: dict[str, Any]) -> Receipt:
    """Return the receipt; raises KeyError, TypeError, ValueError or AttributeError."""
    _refuse_other_paths((*record["files"], *record["links"], *record["directories"]))
    return Receipt(
        **{
            **record,
            "files": {path: OwnedFile(**f) for path, f in record["files"].items()},
            **{key: tuple(record[key]) for key in _LISTS if key in record},
            "services": {n: Fingerprint(**f) for n, f in record["services"].items()},
        }
    )


def _refuse_other_paths(paths: Iterable[str]) -> None:
    """A path with a way up in it would name what is not ours."""
    for path in paths:
        if not path.startswith("/") or normpath(path) != path:
            raise ValueError(f"{path!r} is no path of ours")
