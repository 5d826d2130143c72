"""The certificate that the proxy shows, and the key that belongs to it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFacts:
    """What openssl says of the two files, and who may read them; None = it could not be asked."""

    certificate: str
    key: str
    unreadable: tuple[str, ...] = ()  # of the two, those that the proxy's user cannot read
    exposed: bool = False  # everybody may read the key
    is_certificate: bool | None = None
    expired: bool | None = None
    expiring: bool | None = None  # within two weeks
    matches: bool | None = None  # the key is the certificate's
