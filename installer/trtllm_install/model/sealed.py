"""A record on disk that shows when it was torn, edited, or written by a newer tool."""

import json
from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any, Final

_SCHEMA: Final = "schema"
_CHECKSUM: Final = "sha256"


class UnusableRecord(Exception):
    """The text is not what ``seal`` made; the message says in words what is wrong with it."""

    def __init__(self, message: str, *, newer: bool = False) -> None:
        super().__init__(message)
        self.newer = newer  # a later version of this tool wrote it


def seal(record: Mapping[str, object], schema: int) -> bytes:
    """Return the record as JSON, a field a line, with its schema number and a checksum over it."""
    whole = {**record, _SCHEMA: schema}
    lines = (f'"{key}": {_text(value)}' for key, value in sorted(whole.items()))
    checksum = f'"{_CHECKSUM}": "{_checksum(whole)}"'
    return ("{\n" + ",\n".join((*lines, checksum)) + "\n}\n").encode()


def unseal(raw: bytes, known: Collection[int]) -> dict[str, Any]:
    """Return the record, its schema number still in it; raises UnusableRecord."""
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UnusableRecord(f"it is not JSON: {error}") from error
    if not isinstance(record, dict):
        raise UnusableRecord("it is not a JSON object")
    schema = record.get(_SCHEMA)
    if schema not in known:
        newer = isinstance(schema, int) and schema > max(known)
        last = max(known)
        raise UnusableRecord(f"it has schema {schema}, this tool knows {last}", newer=newer)
    checksum = record.pop(_CHECKSUM, None)
    if checksum != _checksum(record):
        raise UnusableRecord("its checksum differs: it was damaged or edited")
    return record


def _checksum(record: Mapping[str, object]) -> str:
    return sha256(_text(record).encode()).hexdigest()


# Made once: a transaction writes and reads some thousand values.
_text = json.JSONEncoder(sort_keys=True).encode
