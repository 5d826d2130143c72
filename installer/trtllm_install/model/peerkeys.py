"""Keys that peers ask this proxy for: they are shown to the peers, so they are kept whole."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from trtllm_install.model.clientkeys import parse_lines
from trtllm_install.model.errors import ConfigError

HEADING: Final = "# PEER KEY; written by trtllm-install keys set --peers\n"
# The same rule is in lualib/trtllm/peer_keys.lua.
_LINE: Final = re.compile(r"([A-Za-z0-9-]+) ([A-Za-z0-9._~+/=-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKey:
    """One line of the file."""

    name: str
    key: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """See Key.sha256."""
        return hashlib.sha256(self.key.encode()).hexdigest()

    @property
    def line(self) -> str:
        """See Key.line."""
        return f"{self.name} {self.key}"


def accept_peer_key(name: str, key: str, where: str) -> PeerKey:
    """Return the key of a peer; ConfigError for what is none, which shows nothing of it."""
    if not _LINE.fullmatch(f"{name} {key}"):
        raise ConfigError(
            f"cannot take the key of {where}: not a peer of A-Z a-z 0-9 - "
            "and a key of A-Z a-z 0-9 . _ ~ + / = -",
            hint="sudo trtllm-install drain --list names the peers",
        )
    return PeerKey(name=name, key=key)


def parse_peer_keys(text: str, path: str) -> tuple[PeerKey, ...]:
    """Return the keys of a file; raises ConfigError naming the line that is none."""
    lines = parse_lines(text, path, _LINE, "PEER and KEY")
    return tuple(PeerKey(name=name, key=key) for name, key in lines)
