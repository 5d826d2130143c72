"""Keys of clients: a name, and the SHA-256 of 256 random bits that only the client has."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trtllm_install.model.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LOCAL: Final = "local"  # the proxy's own name for requests of its host
_LINE: Final = re.compile(rf"({NAME.pattern}) ([0-9a-f]{{64}})")
_HEADING: Final = "# NAME SHA-256 of the key; written by trtllm-install keys\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """One line of the file; the key itself is kept nowhere."""

    name: str
    sha256: str  # 64 hex digits


def hash_key(name: str, key: str) -> ClientKey:
    """Return what is kept of a key; raises ConfigError for a name that no key can have."""
    if not NAME.fullmatch(name) or name == LOCAL:
        raise ConfigError(
            f"cannot name a key {name!r}: 1 to 63 of A-Z a-z 0-9 . _ -, and not {LOCAL}",
            hint="trtllm-install keys add NAME",
        )
    return ClientKey(name=name, sha256=hashlib.sha256(key.encode()).hexdigest())


def parse_keys(text: str, path: str) -> tuple[ClientKey, ...]:
    """Return the keys of a file; raises ConfigError naming the line that is none."""
    keys = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise ConfigError(
                f"cannot read {path}: line {number} is not NAME and 64 hex digits",
                hint=f"remove the line from {path}",
            )
        keys.append(ClientKey(name=found[1], sha256=found[2]))
    return tuple(keys)


def render_keys(keys: Sequence[ClientKey]) -> str:
    """Return the text of the file."""
    return _HEADING + "".join(f"{key.name} {key.sha256}\n" for key in keys)


def mark_of(keys: Sequence[ClientKey]) -> str:
    """Return the 12 hex digits by which the proxy shows that these keys are in force.

    The same rule is in lualib/trtllm/keys.lua.
    """
    lines = [key.name.encode() + bytes.fromhex(key.sha256) for key in keys]
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:12]
