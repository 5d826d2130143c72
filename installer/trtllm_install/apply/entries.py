"""What a journal holds: how it was before, and each step before it is taken."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from trtllm_install.model.desired import content_digest
from trtllm_install.model.sealed import UnusableRecord, seal, unseal
from trtllm_install.model.tree import Action, Change, Seen

SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """The first entry: who changes the host, and how its services were."""

    verb: str
    supervisor: str
    services: tuple[str, ...]  # every one that may be touched, in start order
    running: Mapping[str, int | None]  # of these, the ones that ran, with their launchers' pids
    serving: tuple[str, ...]  # of these, the ones that served
    enabled: bool  # they were started at boot, or by a daemon that was there
    process: str = ""  # see apply/holder.py
    found_state: bool = False  # the folder that the journal is in was there


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something that the supervisor is told: activate, deactivate, or about one service."""

    word: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Something that goes once the transaction is final, and that nothing brings back."""

    what: Literal["contents", "file", "folder", "account", "packages"]
    path: str  # of an account: its name; of packages: theirs, with blanks between
    owner: str = ""  # who gets a folder that is not empty


Entry: TypeAlias = Begin | Change | Order | Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A transaction as its journal tells it, oldest step first."""

    begin: Begin
    steps: tuple[Change | Order | Sweep, ...] = ()
    final: bool = False  # nothing is undone any more

    @property
    def changes(self) -> tuple[Change, ...]:
        """Changes to paths and accounts."""
        return tuple(step for step in self.steps if isinstance(step, Change))

    @property
    def orders(self) -> tuple[Order, ...]:
        """Orders to the supervisor."""
        return tuple(step for step in self.steps if isinstance(step, Order))

    @property
    def sweeps(self) -> tuple[Sweep, ...]:
        """What is done after the commit."""
        return tuple(step for step in self.steps if isinstance(step, Sweep))


def encode(entry: Entry) -> bytes:
    """Return an entry as it is written; the old content of a file lies beside it."""
    match entry:
        case Begin():
            record: dict[str, object] = {
                "entry": "begin",
                "verb": entry.verb,
                "supervisor": entry.supervisor,
                "services": list(entry.services),
                "running": dict(entry.running),
                "serving": list(entry.serving),
                "enabled": entry.enabled,
                "process": entry.process,
                "found_state": entry.found_state,
            }
        case Order():
            record = {"entry": "order", "word": entry.word, "name": entry.name}
        case Sweep():
            record = {
                "entry": "sweep",
                "what": entry.what,
                "path": entry.path,
                "owner": entry.owner,
            }
        case Change():
            record = {
                "entry": "change",
                "action": entry.action.value,
                "kind": entry.kind,
                "path": entry.path,
                "target": entry.target,
                "owner": entry.owner,
                "old": _seen_record(entry.old) if entry.old else None,
            }
    return seal(record, SCHEMA)


def decode(raw: bytes, old_content: bytes | None) -> Entry:
    """Return the entry; raises UnusableRecord for one that ``encode`` did not make."""
    record = unseal(raw, (SCHEMA,))
    try:
        return _ENTRIES[record["entry"]](record, old_content)
    except (KeyError, ValueError, TypeError) as error:
        raise UnusableRecord(f"it cannot be understood: {error!r}") from error


def opened(entries: Iterable[Entry], *, final: bool) -> Opened | None:
    """Return the transaction that the entries tell, None when it had not begun."""
    listed = list(entries)
    if not listed:
        return None
    first, *rest = listed
    if not isinstance(first, Begin) or any(isinstance(step, Begin) for step in rest):
        raise UnusableRecord("it does not begin with its first entry")
    steps = tuple(step for step in rest if not isinstance(step, Begin))
    return Opened(begin=first, steps=steps, final=final)


def _begin(record: dict[str, Any], _: bytes | None) -> Begin:
    return Begin(
        verb=record["verb"],
        supervisor=record["supervisor"],
        services=tuple(record["services"]),
        running=dict(record["running"]),
        serving=tuple(record["serving"]),
        enabled=record["enabled"],
        process=record["process"],
        found_state=record["found_state"],
    )


def _order(record: dict[str, Any], _: bytes | None) -> Order:
    return Order(word=record["word"], name=record["name"])


def _sweep(record: dict[str, Any], _: bytes | None) -> Sweep:
    return Sweep(what=record["what"], path=record["path"], owner=record["owner"])


def _change(record: dict[str, Any], old_content: bytes | None) -> Change:
    old = record["old"]
    return Change(
        action=Action(record["action"]),
        kind=record["kind"],
        path=record["path"],
        target=record["target"],
        owner=record["owner"],
        reason="",
        old=_seen(old, old_content) if old else None,
    )


_ENTRIES: Mapping[str, Callable[[dict[str, Any], bytes | None], Entry]] = {
    "begin": _begin,
    "order": _order,
    "sweep": _sweep,
    "change": _change,
}


def _seen_record(old: Seen) -> dict[str, object]:
    return {
        "kind": old.kind,
        "mode": old.mode,
        "owner": old.owner,
        "group": old.group,
        "mtime_ns": old.mtime_ns,
        "target": old.target,
        "content_sha256": old.digest if old.kind == "file" else "",
    }


def _seen(record: dict[str, Any], content: bytes | None) -> Seen:
    fields = dict(record)
    digest = fields.pop("content_sha256")
    if fields["kind"] == "file" and (content is None or content_digest(content) != digest):
        raise UnusableRecord("the old content beside it is missing or damaged")
    return Seen(**fields, content=content or b"")
