"""Looks at the certificate and the key of the proxy; openssl reads them."""

import posixpath
from typing import Final

from trtllm_install.host.protocol import Entry, Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.tls import TlsFacts
from trtllm_install.model.installation import Tls

_TWO_WEEKS: Final = 14 * 24 * 3600


def probe_tls(host: Host, tls: Tls) -> TlsFacts:
    """Return what is known of the files; never raises."""
    try:
        unreadable = tuple(p for p in (tls.certificate, tls.key) if not _is_readable(host, p))
        key = host.look(host.resolve(tls.key))
    except HostError:
        unreadable, key = (), None
    public = _said(host, "x509", "-noout", "-pubkey", "-in", tls.certificate)
    own = _said(host, "pkey", "-pubout", "-in", tls.key)
    known = public is not None and public != ""
    return TlsFacts(
        certificate=tls.certificate,
        key=tls.key,
        unreadable=unreadable,
        exposed=key is not None and bool(key.mode & 0o004),
        is_certificate=None if public is None else known,
        expired=_ends_within(host, tls, 0) if known else None,
        expiring=_ends_within(host, tls, _TWO_WEEKS) if known else None,
        matches=public == own if known and own else None,
    )


def _said(host: Host, *words: str) -> str | None:
    """Return what openssl prints, "" when it refuses, None where it cannot be asked."""
    try:
        ended = host.run(["openssl", *words])
    except HostError:
        return None
    return ended.stdout if ended.code == 0 else ""


def _ends_within(host: Host, tls: Tls, seconds: int) -> bool:
    said = _said(host, "x509", "-noout", "-checkend", str(seconds), "-in", tls.certificate)
    return said == ""


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
