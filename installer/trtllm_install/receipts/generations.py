"""Every whole that was installed, so that one of them can be installed again."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from json import dumps
from typing import Any

from trtllm_install.host.protocol import Host
from trtllm_install.host.seeing import see
from trtllm_install.model import layout
from trtllm_install.model.desired import Account, Desired, Directory, File, Link, Service
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.sealed import UnusableRecord, seal, unseal
from trtllm_install.model.tree import Action, Change
from trtllm_install.receipts.record import receipt_from, receipt_record

KEPT = 5
_SCHEMA = 1
_NAME = re.compile(r"(\d{6})\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A whole as it was installed: its receipt, and everything that was wanted."""

    number: int
    receipt: Receipt
    desired: Desired


def path_of(number: int) -> str:
    """Return where generation ``number`` is kept."""
    return f"{layout.GENERATIONS}/{number:06d}.json"


def kept_numbers(host: Host) -> tuple[int, ...]:
    """Return the numbers of the generations that are kept, oldest first."""
    found = (_NAME.fullmatch(name) for name in host.names_in(layout.GENERATIONS))
    return tuple(sorted(int(match[1]) for match in found if match))


def read_generation(host: Host, number: int) -> Generation:
    """Return a kept generation; raises ConfigError when it is not kept, damaged or newer."""
    path = path_of(number)
    raw = host.read(path)
    if raw is None:
        raise ConfigError(
            f"cannot find generation {number}: it is not kept",
            hint="sudo trtllm-install rollback --list",
        )
    try:
        record = unseal(raw, (_SCHEMA,))
        receipt = receipt_from(record["receipt"])
        return Generation(number=number, receipt=receipt, desired=_desired(record["tree"]))
    except (UnusableRecord, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"cannot use {path}: {error}",
            hint="take another: sudo trtllm-install rollback --list",
        ) from error


def tree_digest(desired: Desired) -> str:
    """Return the hash that two equal wholes share."""
    return sha256(dumps(_tree(desired), sort_keys=True).encode()).hexdigest()


def generation_changes(host: Host, receipt: Receipt, desired: Desired) -> Iterator[Change]:
    """Yield the changes that keep this generation and drop the oldest beyond five."""
    path = path_of(receipt.generation)
    there = kept_numbers(host)
    if host.look(layout.GENERATIONS) is None:
        yield Change(
            action=Action.CREATE,
            kind="directory",
            path=layout.GENERATIONS,
            reason="to roll back to",
            mode=0o700,
        )
    if receipt.generation not in there:
        record = {"receipt": receipt_record(receipt), "tree": _tree(desired)}
        yield Change(
            action=Action.CREATE,
            kind="file",
            path=path,
            reason="to roll back to",
            content=seal(record, _SCHEMA),
            mode=0o600,
        )
    newest = sorted({*there, receipt.generation})[-KEPT:]
    for number in there:
        if number not in newest and number != receipt.generation:
            yield _removal(host, path_of(number))


def removals(host: Host) -> Iterator[Change]:
    """Yield the removal of every kept generation."""
    for number in kept_numbers(host):
        yield _removal(host, path_of(number))


def _removal(host: Host, path: str) -> Change:
    return Change(
        action=Action.REMOVE, kind="file", path=path, reason="too old", old=see(host, path)
    )


def _tree(desired: Desired) -> dict[str, object]:
    files = [{**asdict(file), "content": _text(file.content)} for file in desired.files]
    return {**asdict(replace(desired, files=())), "files": files}


def _text(content: bytes) -> Mapping[str, str]:
    """Text as text, for whoever reads the file; the rest as base64."""
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _bytes(content: Mapping[str, str]) -> bytes:
    if "text" in content:
        return content["text"].encode()
    return base64.b64decode(content["base64"], validate=True)


def _desired(record: dict[str, Any]) -> Desired:
    return Desired(
        accounts=tuple(Account(**a) for a in record["accounts"]),
        directories=tuple(Directory(**d) for d in record["directories"]),
        files=tuple(File(**{**f, "content": _bytes(f["content"])}) for f in record["files"]),
        links=tuple(Link(**link) for link in record["links"]),
        services=tuple(
            Service(
                name=s["name"],
                inputs=tuple(s["inputs"]),
                reload_inputs=tuple(s["reload_inputs"]),
                binds=s.get("binds", ""),
            )
            for s in record["services"]
        ),
        generation=record["generation"],
    )
