"""Keys of clients: a name, and the SHA-256 of a secret that only the client has."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from trtllm_install.model.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LOCAL: Final = "local"  # the proxy's own name for requests of its host
HEADING: Final = "# NAME SHA-256 of the key; written by trtllm-install keys\n"
SHORTEST: Final = 66  # bytes of a line with one: a letter, a blank and 64 hex digits
NOBODY: Final = "there is no key: the proxy lets nobody in"
ADD_ONE: Final = "sudo trtllm-install keys add NAME"
_LINE: Final = re.compile(rf"({NAME.pattern}) ([0-9a-f]{{64}})")
# A plain hash keeps only what cannot be guessed: 128 bits are 32 hex digits.
_SECRET: Final = re.compile(r"[A-Za-z0-9._~+/=-]{32,512}")
_LOCAL_PREFIX: Final = "trtllm-local-"  # lualib/trtllm/keys.lua looks such keys up elsewhere


class Key(Protocol):
    """What a client shows to this proxy, or this proxy to a peer."""

    @property
    def name(self) -> str:
        """Whose it is."""

    @property
    def sha256(self) -> str:
        """Hash of the key, 64 hex digits."""

    @property
    def line(self) -> str:
        """What is kept of it, a line of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """One line of the file; the key itself is kept nowhere."""

    name: str
    sha256: str  # 64 hex digits

    @property
    def line(self) -> str:
        """See Key.line."""
        return f"{self.name} {self.sha256}"


def hash_key(name: str, key: str) -> ClientKey:
    """Return what is kept of a key; raises ConfigError for a name that no key can have."""
    if not NAME.fullmatch(name) or name == LOCAL:
        raise ConfigError(
            f"cannot name a key {name!r}: 1 to 63 of A-Z a-z 0-9 . _ -, and not {LOCAL}",
            hint="sudo trtllm-install keys add NAME",
        )
    return ClientKey(name=name, sha256=hashlib.sha256(key.encode()).hexdigest())


def accept_key(name: str, key: str, where: str) -> ClientKey:
    """Return what is kept of a key that somebody else made; ConfigError for a weak one.

    The error says ``where`` it stands and shows neither name nor key: they may be swapped.
    """
    if not NAME.fullmatch(name) or not _SECRET.fullmatch(key) or key.startswith(_LOCAL_PREFIX):
        raise ConfigError(
            f"cannot take the key of {where}: not a name of 1 to 63 of A-Z a-z 0-9 . _ - "
            "and a key of 32 to 512 of A-Z a-z 0-9 . _ ~ + / = -",
            hint="make one with openssl rand -hex 32",
        )
    return hash_key(name, key)


def parse_keys(text: str, path: str) -> tuple[ClientKey, ...]:
    """Return the keys of a file; raises ConfigError naming the line that is none."""
    lines = parse_lines(text, path, _LINE, "NAME and 64 hex digits")
    return tuple(ClientKey(name=name, sha256=sha256) for name, sha256 in lines)


def parse_lines(
    text: str, path: str, form: re.Pattern[str], words: str
) -> Iterator[tuple[str, str]]:
    """Yield the two words of each line but comments; ConfigError for one of another form."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        found = form.fullmatch(line)
        if found is None:
            raise ConfigError(
                f"cannot read {path}: line {number} is not {words}",
                hint=f"remove the line from {path}",
            )
        yield found[1], found[2]


def render_keys(keys: Sequence[Key], heading: str = HEADING) -> str:
    """Return the text of the file."""
    return heading + "".join(f"{key.line}\n" for key in keys)


def mark_of(keys: Sequence[Key]) -> str:
    """Return the 12 hex digits by which the proxy shows that these keys are in force.

    The same rule is in lualib/trtllm/keys.lua.
    """
    lines = [key.name.encode() + bytes.fromhex(key.sha256) for key in keys]
    return hashlib.sha256(b"\n".join(lines)).hexdigest()[:12]
