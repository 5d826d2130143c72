"""What the distribution could not bring, kept until it may have changed its mind."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.facts import LeftOut
from trtllm_install.model.sealed import UnusableRecord, seal, unseal

_SCHEMA: Final = 1
_LIMIT: Final = 100_000  # bytes


def read_left_out(host: Host, stamp: str) -> tuple[LeftOut, ...]:
    """Return what was left out when apt stood at ``stamp``; nothing where that is another.

    Nothing either where the file is absent or damaged: then apt is asked. Raises HostError.
    """
    kept_at, left_out = _read(host)
    return left_out if kept_at == stamp else ()


def keep_left_out(host: Host, stamp: str, left_out: Sequence[LeftOut]) -> None:
    """Keep what was left out at ``stamp``; writes only what is new, and nothing is no file.

    Raises HostError.
    """
    known = tuple(replace(package, known=True) for package in left_out)
    if _read(host) == (stamp if known else "", known):
        return
    if not known:
        host.remove(layout.PACKAGES_LEFT_OUT)
        return
    record = {"stamp": stamp, "left_out": [asdict(package) for package in known]}
    host.write(layout.PACKAGES_LEFT_OUT, seal(record, _SCHEMA), mode=0o644, owner="root")


def _read(host: Host) -> tuple[str, tuple[LeftOut, ...]]:
    raw = host.read(layout.PACKAGES_LEFT_OUT, limit=_LIMIT)
    if raw is None:
        return "", ()
    try:
        record = unseal(raw, (_SCHEMA,))
        return str(record["stamp"]), tuple(LeftOut(**kept) for kept in record["left_out"])
    except (UnusableRecord, KeyError, TypeError):
        return "damaged", ()
