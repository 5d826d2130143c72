"""A certificate and its key as PEM: what is in a text, and nothing of what it means."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from trtllm_install.model.errors import ConfigError

_BLOCK: Final = re.compile(
    r"-----BEGIN (?P<kind>[A-Z0-9 ]+)-----\r?\n[A-Za-z0-9+/=:,\-\s]+?-----END (?P=kind)-----"
)
_KEYS: Final = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")
_IDLE: Final = ("EC PARAMETERS",)  # openssl writes them in front of a key, and the key has them


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What goes into the two files that nginx reads."""

    certificate: bytes  # the chain behind it
    key: bytes = field(repr=False)

    @property
    def mark(self) -> str:
        """Return the 12 hex digits by which the proxy shows that it serves this pair.

        The same rule is in lualib/trtllm/certificate.lua.
        """
        hashes = [hashlib.sha256(part).digest() for part in (self.certificate, self.key)]
        return hashlib.sha256(b"\n".join(hashes)).hexdigest()[:12]


def parse_pair(text: str) -> Pair:
    """Return the certificates in their order and the one key; ConfigError that shows neither."""
    certificates, keys = [], []
    for block in _BLOCK.finditer(text):
        kind = block["kind"]
        lines = [line.strip() for line in block[0].splitlines()]
        whole = "".join(f"{line}\n" for line in lines)
        if kind == "CERTIFICATE":
            certificates.append(whole)
        elif kind in _KEYS:
            keys.append(whole)
        elif kind not in _IDLE:
            raise _unusable(f"{kind.lower()} is in it")
    if not certificates:
        raise _unusable("no certificate is in it")
    if len(keys) != 1:
        raise _unusable(f"{len(keys)} private keys are in it")
    return Pair(certificate="".join(certificates).encode(), key=keys[0].encode())


def _unusable(cause: str) -> ConfigError:
    return ConfigError(
        f"cannot read the certificate: {cause}; expected one certificate with its chain behind it, "
        "and one private key without a password, as PEM",
        hint="cat fullchain.pem privkey.pem | sudo trtllm-install tls set",
    )
