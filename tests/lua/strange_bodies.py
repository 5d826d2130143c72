"""Bodies to try the scanner with, and what Python's json.loads says about each."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Final

Verdict = tuple[str, bytes | None]

_UNICODE_ESCAPES: Final = (
    "u0041",
    "uD834\\uDd1e",
    "ud800",
    "udc00\\ud800",
    "u00",
    "uZZZZ",
    "u+123",
)
_TEXTS: Final = (
    *("", "a", "plain words and more of them, ", "model", "qwen", "7 bytes", "8 bytes."),
    *("\\n", '\\"', "\\\\", "\\\\\\\\", '\\\\\\"', "\\/", "\\t", "\\x", "\\"),
    *(f"\\{code}" for code in _UNICODE_ESCAPES),
    *(
        "\u543e\u8f29\u306f\u732b",
        "\u00e9",
        "\U0001f600",
        "\ufffe",
        "\x7f",
        "\x00",
        "\x1f",
        "\t",
        "\n",
        '"',
    ),
)
_BAD_UTF8: Final = (
    *(b"\x80", b"\xbf", b"\xc0\x80", b"\xc3", b"\xe0\x80\x80", b"\xe5\x90", b"\xed\xa0\x80"),
    *(b"\xf0\x80\x80\x80", b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xff"),
)
_SCALARS: Final = (
    *(
        b"0",
        b"-0",
        b"01",
        b"-",
        b"1.5",
        b"1.",
        b".5",
        b"1e5",
        b"1E+",
        b"1e-2",
        b"-1.5e+300",
        b"1e999",
    ),
    *(b"true", b"false", b"null", b"NaN", b"Infinity", b"-Infinity", b"nul", b"True", b"-NaN"),
    *(b"9" * 4300, b"9" * 4301, b"-" + b"8" * 4301, b"7" * 5000 + b".5", b"0x1F", b"1_0", b"12 3"),
)
_SPACES: Final = (b"", b"", b"", b"", b" ", b"\n", b"\t\r\n ", b"\x0c", b"\xc2\xa0", b"/**/")
_SOUP: Final = tuple(
    bytes([byte]) for byte in b'{}[]:,"\\0123456789eE+-.tfnaulrsmod \n\x00\x1f\x80\xff'
)


def verdict_of_python(body: bytes) -> Verdict:
    """Return what the scanner has to say, had it decoded the body."""
    if not json.detect_encoding(body).startswith("utf-8"):
        return "invalid", None  # the one deliberate difference: UTF-16 and UTF-32
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return "invalid", None
    if not isinstance(value, dict):
        return "not_object", None
    if "model" not in value:
        return "missing", None
    if not isinstance(value["model"], str):
        return "other", None
    return "string", value["model"].encode("utf-8", "surrogatepass")


def agree(body: bytes, found: Verdict) -> bool:
    """Return whether the scanner has said what json.loads says."""
    expected = verdict_of_python(body)
    starts_object = body.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\n\r")[:1] == b"{"
    if not starts_object:  # then nobody looks whether the rest is JSON: it is refused anyway
        return found[0] in {"not_object", "invalid"} and expected[0] in {"not_object", "invalid"}
    return found == expected


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Yield ``count`` bodies, the same ones for the same seed: half of them are damaged."""
    chance = random.Random(seed)
    for number in range(count):
        body = _object(chance, depth=chance.randrange(4))
        yield _damage(chance, body) if number % 2 else body


def _pick(chance: random.Random, options: tuple[bytes, ...]) -> bytes:
    return options[int(chance.random() * len(options))]


def _space(chance: random.Random) -> bytes:
    # The last three are no white space to JSON; now and then one has to be refused.
    return _SPACES[int(chance.random() * (len(_SPACES) if chance.random() < 0.01 else 7))]


def _text(chance: random.Random) -> bytes:
    parts = []
    for _ in range(int(chance.random() ** 3 * 12)):
        wild = chance.random()
        if wild < 0.004:
            parts.append(_pick(chance, _BAD_UTF8))
        else:  # the second half of the list is mostly what may not be there
            limit = len(_TEXTS) if wild < 0.02 else 15
            parts.append(_TEXTS[int(chance.random() * limit)].encode())
    return b'"' + b"".join(parts) + b'"'


def _scalar(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.5:
        return _text(chance)
    if kind < 0.95:
        return str(int(chance.random() * 10 ** int(chance.random() * 19))).encode()
    return _pick(chance, _SCALARS)


def _list(chance: random.Random, depth: int) -> bytes:
    items = [_value(chance, depth - 1) for _ in range(int(chance.random() ** 2 * 9))]
    return b"[" + (_space(chance) + b"," + _space(chance)).join(items) + _space(chance) + b"]"


def _key(chance: random.Random) -> bytes:
    kind = chance.random()
    if kind < 0.4:
        return b'"model"'
    if kind < 0.5:
        letters = [
            f"\\u{ord(letter):04x}" if chance.random() < 0.4 else letter for letter in "model"
        ]
        return f'"{"".join(letters)}"'.encode()
    return _text(chance)


def _object(chance: random.Random, depth: int) -> bytes:
    fields = [
        _key(chance) + _space(chance) + b":" + _space(chance) + _value(chance, depth - 1)
        for _ in range(int(chance.random() ** 2 * 8))
    ]
    inside = (_space(chance) + b"," + _space(chance)).join(fields)
    return _space(chance) + b"{" + _space(chance) + inside + _space(chance) + b"}"


def _value(chance: random.Random, depth: int) -> bytes:
    kind = chance.random()
    if depth <= 0 or kind < 0.6:
        return _scalar(chance)
    made: Callable[[random.Random, int], bytes] = _list if kind < 0.8 else _object
    return made(chance, depth)


def _damage(chance: random.Random, body: bytes) -> bytes:
    out = bytearray(body)
    for _ in range(1 + int(chance.random() ** 2 * 4)):
        at = int(chance.random() * (len(out) + 1))
        kind = chance.random()
        if kind < 0.3:
            out[at:at] = _pick(chance, _SOUP)
        elif kind < 0.5:
            out[at : at + 1] = _pick(chance, _SOUP)
        elif kind < 0.7:
            del out[at : at + 1 + int(chance.random() * 3)]
        elif kind < 0.8:
            out[at:at] = out[at : at + int(chance.random() * 20)]
        elif kind < 0.9:
            out[at : at + 1] = bytes([int(chance.random() * 256)])
        elif kind < 0.93:
            del out[at:]
    return bytes(out)
