"""What is secret comes in here: a command line can be read by every user of the host."""

import sys
from typing import Final

from trtllm_install.model.errors import ConfigError

_MOST: Final = 1 << 20


def heard(what: str, hint: str) -> str:
    """Return what was piped in; ConfigError for a terminal, which would show a secret."""
    if sys.stdin is None or sys.stdin.isatty():
        raise ConfigError(f"cannot read {what}: standard input is a terminal", hint=hint)
    return sys.stdin.read(_MOST)
