"""Reads the header of a safetensors file: what it holds and how long it must be.

Format: 8 bytes little-endian length N, N bytes of JSON, then the tensors; the file
ends where the last tensor does (huggingface/safetensors, README "Format").
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.facts import FileFault, FileProblem

HEADER_LIMIT: Final = 100_000_000  # bytes; the format's own limit
_LENGTH: Final = 8
# safetensors/src/tensor.rs, Dtype::bitsize
_BITS: Final = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 16),
    **dict.fromkeys(("U32", "I32", "F32"), 32),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 64),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What one shard states about itself."""

    tensors: frozenset[str]
    data: int  # bytes of all tensors
    length: int  # bytes that the file must have
    dtypes: Mapping[str, int]  # name -> bytes


def read_header(host: Host, path: str, size: int) -> Header | FileProblem:
    """Return the header of a shard of ``size`` bytes, or what is wrong with it.

    Reads the header alone, 100 MB at most, whatever the file claims.
    """
    start = host.read(path, limit=_LENGTH) or b""
    if len(start) < _LENGTH:
        expected = "a header of 8 bytes or more at byte 0"
        return FileProblem(fault="short", path=path, found=f"{size} bytes", expected=expected)
    length = int.from_bytes(start, "little")
    if length > HEADER_LIMIT:
        found = f"a header length of {length} bytes at byte 0"
        return _problem("header", path, found, f"{HEADER_LIMIT} at most")
    if length > size - _LENGTH:
        needed = f"{_LENGTH + length} bytes or more, as the header at byte 0 says"
        return FileProblem(fault="short", path=path, found=f"{size} bytes", expected=needed)
    return _parsed(path, host.read(path, limit=length, offset=_LENGTH) or b"")


def _parsed(path: str, raw: bytes) -> Header | FileProblem:
    try:
        stated = json.loads(raw)
    except (ValueError, RecursionError) as error:
        at = _LENGTH + (error.pos if isinstance(error, json.JSONDecodeError) else 0)
        return _problem("header", path, f"no JSON at byte {at} of the header", "a JSON object")
    if not isinstance(stated, dict):
        found = f"a header at byte {_LENGTH} that is no object"
        return _problem("header", path, found, "a JSON object")
    stated.pop("__metadata__", None)
    # JSON readers keep the last of two equal keys in silence; each tensor has one such word.
    if raw.count(b'"data_offsets"') != len(stated) and (twice := _repeated(raw)):
        found = f"tensor {twice[:80]} twice in the header at byte {_LENGTH}"
        return _problem("header", path, found, "each name once")
    return _checked(path, stated, _LENGTH + len(raw))


def _repeated(raw: bytes) -> str | None:
    """Return the first name that the header gives twice."""
    twice: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> dict[str, object]:
        count = Counter(key for key, _ in pairs)
        twice.extend(key for key, n in count.items() if n > 1)
        return dict(pairs)

    json.loads(raw, object_pairs_hook=note)
    return twice[0] if twice else None


def _checked(path: str, stated: dict[str, Any], begin: int) -> Header | FileProblem:
    """Demand tensors that are as long as their shape and follow without gap or overlap."""
    spans = _spans(stated)
    if spans is None:
        name = next(n for n, entry in stated.items() if _spans({n: entry}) is None)
        found = f"no dtype, shape or data_offsets for tensor {name[:80]}"
        return _problem("header", path, found, "all three")
    spans.sort()
    end = 0
    dtypes: Counter[str] = Counter()
    for first, last, bits, dtype, name in spans:
        at = f"tensor {name[:80]} at byte {begin + first}"
        if first != end:
            word = "overlaps the one before it" if first < end else "leaves a gap before it"
            return _problem("layout", path, f"{at} {word}", f"it at byte {begin + end}")
        if bits is not None and bits != 8 * (last - first):
            needed = f"{-(-bits // 8)} bytes, as dtype {dtype} and its shape say"
            return _problem("layout", path, f"{at} with {last - first} bytes", needed)
        dtypes[dtype] += last - first
        end = last
    return Header(tensors=frozenset(stated), data=end, length=begin + end, dtypes=dtypes)


def _spans(stated: dict[str, Any]) -> list[tuple[int, int, int | None, str, str]] | None:
    """Return where each tensor lies, its bits by shape (None: new dtype), its dtype and name.

    None where one does not say it. One comprehension, since a Mixture-of-Experts
    checkpoint has 74 000 tensors and a match costs 3 µs for each.
    """
    bits = _BITS.get
    try:
        spans = [
            (a, b, w and w * prod(entry["shape"]), entry["dtype"], name)
            for name, entry in stated.items()
            for a, b in (entry["data_offsets"],)
            for w in (bits(entry["dtype"]),)
        ]
    except (TypeError, ValueError, KeyError):
        return None
    kinds = {type(x) for span in spans for x in span[:2]}
    shapes = {type(x) for entry in stated.values() for x in entry["shape"]}
    words = {type(span[3]) for span in spans}
    if not (kinds <= {int} and shapes <= {int} and words <= {str}):
        return None
    if not all(0 <= a <= b for a, b, *_ in spans):
        return None
    return spans


def _problem(fault: FileFault, path: str, found: str, expected: str) -> FileProblem:
    return FileProblem(fault=fault, path=path, found=found, expected=expected)
