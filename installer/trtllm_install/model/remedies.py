"""A remedy as lines: what can be pasted into a shell, and what is said beside it."""

import re
from typing import Final

# "COMMAND (note)", "COMMAND, then again", "COMMAND; or another", "COMMAND  # note".
_BREAK: Final = r", (?=then\b)|; (?=(?:or|then)\b)|\s+(?=\([^()]*\)$)|\s+(?=# )"
# Sentences are left whole.
_COMMANDS: Final = ("sudo ", "trtllm-install ", "hf ", "rm ", "ls ", "ps ", "nvidia-smi ")


def fix_lines(remedy: str) -> list[str]:
    """Return a remedy behind "fix:", each command and what is said about it on its own line."""
    first, *more = re.split(_BREAK, remedy) if remedy.startswith(_COMMANDS) else [remedy]
    return [f"fix: {first}", *(f"     {line}" for line in more)]
