"""Looks at the certificate and the key of the proxy; openssl reads them."""

import posixpath
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from trtllm_install.host.protocol import Entry, Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.peers import AuthorityFacts
from trtllm_install.model.facts.tls import TlsFacts
from trtllm_install.model.installation import Tls

_TWO_WEEKS: Final = 14 * 24 * 3600
_Asked = Callable[..., str | None]


def probe_tls(host: Host, tls: Tls) -> TlsFacts:
    """Return what is known of the files; never raises."""
    try:
        unreadable = tuple(p for p in (tls.certificate, tls.key) if not _is_readable(host, p))
        key = host.look(host.resolve(tls.key))
    except HostError:
        unreadable, key = (), None
    return replace(
        _judged_by_openssl(
            tls,
            lambda *words: _said(host, *words, "-in", tls.certificate),
            lambda *words: _said(host, *words, "-in", tls.key),
        ),
        unreadable=unreadable,
        exposed=key is not None and bool(key.mode & 0o004),
    )


def probe_authority(host: Host, path: str) -> AuthorityFacts:
    """Return what is known of the file that vouches for peers; never raises."""
    try:
        readable = _is_readable(host, path)
    except HostError:
        readable = False
    public = _said(host, "x509", "-noout", "-pubkey", "-in", path) if readable else None
    return AuthorityFacts(
        path=path, readable=readable, is_certificate=None if public is None else public != ""
    )


def probe_pair(host: Host, certificate: bytes, key: bytes, tls: Tls) -> TlsFacts:
    """Return what is known of a pair that is to be put at these paths; never raises.

    It is on no disk: openssl reads it from its standard input. What it cannot read as a key
    is the key of no certificate.
    """
    seen = _judged_by_openssl(
        tls,
        lambda *words: _said(host, *words, given=certificate.decode()),
        lambda *words: _said(host, *words, given=key.decode()),
    )
    return replace(seen, matches=bool(seen.matches)) if seen.is_certificate else seen


def _judged_by_openssl(tls: Tls, of_certificate: _Asked, of_key: _Asked) -> TlsFacts:
    public = of_certificate("x509", "-noout", "-pubkey")
    own = of_key("pkey", "-pubout")
    known = public is not None and public != ""
    return TlsFacts(
        certificate=tls.certificate,
        key=tls.key,
        is_certificate=None if public is None else known,
        expired=_ends_within(of_certificate, 0) if known else None,
        expiring=_ends_within(of_certificate, _TWO_WEEKS) if known else None,
        matches=public == own if known and own else None,
    )


def _said(host: Host, *words: str, given: str = "") -> str | None:
    """Return what openssl prints, "" when it refuses, None where it cannot be asked."""
    try:
        ended = host.run(["openssl", *words], stdin=given)
    except HostError:
        return None
    return ended.stdout if ended.code == 0 else ""


def _ends_within(of_certificate: _Asked, seconds: int) -> bool:
    return of_certificate("x509", "-noout", "-checkend", str(seconds)) == ""


def _is_readable(host: Host, path: str) -> bool:
    """Tell whether user trtllm may read a file: its own rights, and those of every folder."""
    real = host.resolve(path)
    entry = host.look(real)
    if entry is None or entry.kind != "file" or not _may(entry, 0o4):
        return False
    folder = real
    while (folder := posixpath.dirname(folder)) != "/":
        above = host.look(folder)
        if above is None or not _may(above, 0o1):
            return False
    return True


def _may(entry: Entry, right: int) -> bool:
    if entry.owner == layout.USER:
        return bool(entry.mode & right << 6)
    if entry.group == layout.USER:
        return bool(entry.mode & right << 3)
    return bool(entry.mode & right)
