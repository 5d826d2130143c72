"""Requests whose end can be read in two ways, and others that HTTP forbids, byte by byte.

A proxy that reads one of them otherwise than the server behind it lets a client put a
request into another client's connection. What must come of each is a refusal and the end
of the connection: nothing that follows may be read as a request (RFC 9112, 6.3 and 11.2).
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from trtllm_install.host.protocol import Host, Talk

_BODY: Final = b'{"model":"no-such-model"}'
_PATH: Final = b"/v1/chat/completions"
_LENGTH: Final = b"Content-Length: %d\r\n" % len(_BODY)
_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
_CHUNKS: Final = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_BODY), _BODY)
_HIDDEN: Final = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"  # must get no answer
_AS_CHUNK: Final = b"%x\r\n%s\r\n0\r\n\r\n" % (len(_HIDDEN), _HIDDEN)
_WHOLE: Final = b"Content-Length: %d\r\n" % len(_CHUNKS + _HIDDEN)
_REFUSED: Final = "400 bad_request, hung up"
_PATIENCE_S: Final = 3.0
_SLOW_S: Final = 25.0

# Name, what must come of it, headers beside the usual ones, what follows the headers.
_CASES: Final = (
    # Who goes by the length reads the chunk as a request, who goes by the chunks the rest.
    ("a length and chunks", _REFUSED, b"Content-Length: 4\r\n" + _CHUNKED, _AS_CHUNK),
    ("chunks and a length", _REFUSED, _CHUNKED + _WHOLE, _CHUNKS + _HIDDEN),
    ("two lengths", _REFUSED, _LENGTH + b"Content-Length: 2\r\n", _BODY + _HIDDEN),
    ("the same length twice", _REFUSED, _LENGTH * 2, _BODY),
    ("a list of lengths", _REFUSED, b"Content-Length: 25, 25\r\n", _BODY),
    ("a length with a sign", _REFUSED, b"Content-Length: +25\r\n", _BODY),
    ("a chunk without a size", _REFUSED, _CHUNKED, b"zz\r\n" + _CHUNKS),
    ("a chunk that is longer than it says", _REFUSED, _CHUNKED, b"4\r\n" + _CHUNKS),
    ("a chunk without an end", _REFUSED, _CHUNKED, b"F" * 17 + b"\r\n" + _BODY),
    ("another encoding", "501 not_implemented, hung up", b"Transfer-Encoding: x\r\n", _CHUNKS),
    ("two encodings", _REFUSED, _CHUNKED + b"Transfer-Encoding: identity\r\n", _CHUNKS),
    ("a folded header", _REFUSED, b"X: a\r\n " + _CHUNKED + _LENGTH, _BODY),
    ("a space before the colon", _REFUSED, b"Transfer-Encoding : chunked\r\n" + _LENGTH, _BODY),
    ("a null byte", _REFUSED, b"X: a\x00b\r\n" + _LENGTH, _BODY),
    ("two hosts", _REFUSED, b"Host: elsewhere\r\n" + _LENGTH, _BODY),
    (
        *("a header of 40 kB", "431 headers_too_large, hung up"),
        *(b"X: %s\r\n" % (b"a" * 40_000) + _LENGTH, _BODY),
    ),
    (
        *("60 kB of headers", "431 headers_too_large, hung up"),
        *(b"".join(b"X-%d: %s\r\n" % (i, b"a" * 1000) for i in range(60)) + _LENGTH, _BODY),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, and what was answered; none of them reaches a GPU."""

    name: str
    expected: str  # "404 model_not_found": status and, of an error, its code
    found: str

    @property
    def passed(self) -> bool:
        """Tell whether the proxy did what it has to do."""
        return self.found == self.expected


def replay_framing(host: Host, base: str, key: str | None) -> Iterator[Case]:
    """Yield a case for each of them; raises HostError when nobody listens."""
    address = _address(base)

    def send(name: str, expected: str, target: bytes, headers: bytes, rest: bytes) -> Case:
        request = _head(target, key) + headers + b"\r\n" + rest
        found = _outcome(host.talk(address, request, timeout=_PATIENCE_S))
        return Case(name=name, expected=expected, found=found)

    for name, expected, headers, rest in _CASES:
        yield send(name, expected, _PATH, headers, rest)
    long = _PATH + b"?" + b"a" * 9000
    yield send("an address of 9 kB", "414 uri_too_long, hung up", long, _LENGTH, _BODY)


def replay_slow(host: Host, base: str, *, patience: float = _SLOW_S) -> Iterator[Case]:
    """Yield the case of a client that sends a header for ever, a byte a second.

    It takes as long as the proxy waits for headers, ``patience`` seconds at most.
    """
    begun = b"GET /livez HTTP/1.1\r\nX: a"
    found = _outcome(host.talk(_address(base), begun, drip=b"a", timeout=patience))
    yield Case(name="a header that never ends", expected="no answer, hung up", found=found)


def said(status: int, body: bytes) -> str:
    """Return a status and, of an error, its code."""
    if status < 400:  # noqa: PLR2004 (errors have a code)
        return str(status)
    try:
        return f"{status} {json.loads(body)['error']['code']}"
    except (ValueError, KeyError, TypeError):
        return f"{status} in another shape"


def _head(target: bytes, key: str | None) -> bytes:
    head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" % target
    return head + (f"Authorization: Bearer {key}\r\n".encode() if key else b"")


def _address(base: str) -> tuple[str, int]:
    parts = urlsplit(base)
    return parts.hostname or "", parts.port or 80


def _outcome(talk: Talk) -> str:
    answers = []
    for part in re.split(rb"(?=HTTP/1\.[01] \d{3} )", talk.heard):
        head, _, body = part.partition(b"\r\n\r\n")
        if status := re.match(rb"HTTP/1\.[01] (\d{3}) ", head):
            answers.append(said(int(status[1]), body))
    return f"{' and '.join(answers) or 'no answer'}, {'hung up' if talk.ended else 'left open'}"
