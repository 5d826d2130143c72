"""What must not be shown: one function that masks secrets in whatever leaves the tool.

A secret is the value of a name that says so (``token``, ``password``, ``keys``,
``HF_TOKEN``, ``Authorization`` and their like), the password of a URL, and a word in the
form of a published kind of token. Names such as ``max_num_tokens`` or ``eos_token`` say
nothing of the kind.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

MASK: Final = "********"

_ISSUERS = (
    "access|admin|api|auth|bearer|client|github|gitlab|hf|hub|huggingface|hugging_face_hub"
    "|id|ngc|nvidia|refresh|secret|session|user"
)
_NAME = (
    rf"(?:[\w.-]*[_.-])?(?:password|passwd|passphrase|secret|credentials?|authorization"
    rf"|api[_-]?keys?|(?:access|client|private|secret)[_-]?keys?|(?:{_ISSUERS})[_-]token)"
    rf"|token|keys?"
)
# Every other expression finds something only in a text that this one finds something in.
_WORTH_A_LOOK: Final = re.compile(
    r"pass|secret|credential|author|bearer|key|token|://|hf_|sk-|nvapi-|gh[opsur]_|glpat-|eyJ",
    re.IGNORECASE,
)
# The others are text until one is needed: compiling all of them is a tenth of a run that
# changes nothing, and `re` keeps what it has compiled.
_NAMED: Final = rf"(?i)(?:{_NAME})"
# "  - token: abc", also behind the sign of a diff; the value may follow on further lines.
_HEADING: Final = (
    rf"""(?i)^(?P<lead>(?P<indent>[-+ ]?\s*)(?:-\s+)*["']?(?:{_NAME})["']?\s*:)(?P<value>.*)$"""
)
_PLACE = r"\$?KEY(?![^\s\"'])"  # where the reader of a command puts theirs
_HEADER: Final = rf"(?i)(authorization[\"']?\s*[:=](?!\s*bearer\s+{_PLACE})\s*).*$"
_BEARER: Final = rf"(?i)\b(bearer\s+)(?!{_PLACE})[^\s\"',]+"
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^\s,}\]]+)"""
_QUOTED: Final = (
    rf"""(?i)(["'](?:{_NAME})["']\s*:\s*)(?!null\b|true\b|false\b|\[\]|\{{\}}|""|''){_VALUE}"""
)
_ASSIGNED: Final = rf"""(?i)(?<![\w.-])((?:--?)?(?:{_NAME})=)("[^"]*"|'[^']*'|[^\s&"',]+)"""
_OPTION: Final = rf"""(?i)(?<![\w.-])(--(?:{_NAME})["']?,?\s+)("[^"]*"|'[^']*'|[^\s-]\S*)"""
_URL: Final = r"(://[^\s/:@]*:)[^\s/@]+(?=@)"
_SHAPE: Final = (
    r"\b(?:hf_[A-Za-z0-9]{8,}|sk-[\w-]{16,}|nvapi-[\w-]{8,}|gh[opsur]_[A-Za-z0-9]{20,}"
    r"|glpat-[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_NOTHING: Final = {"", "null", "~", "true", "false", "[]", "{}", '""', "''"}
_OPENS: Final = ("", "|", ">", "[", "{", "&", "!")  # a value that goes on below


def mask(text: str) -> str:
    """Return ``text`` with every secret replaced by asterisks, and as many lines."""
    if not _WORTH_A_LOOK.search(text):
        return text
    return "\n".join(mask_lines(text.split("\n")))


def mask_lines(lines: Iterable[str]) -> list[str]:
    """Return as many lines, the values below a secret's name masked as well."""
    masked: list[str] = []
    below: str | None = None  # indentation of the name whose value this may be
    for line in lines:
        if below is not None and line.strip() and _belongs(line, below):
            masked.append(f"{_indent(line)}{MASK}")
            continue
        below = None
        heading = re.match(_HEADING, line) if _WORTH_A_LOOK.search(line) else None
        if heading is None:
            masked.append(_mask_line(line))
            continue
        value = heading["value"].strip()
        if value.rstrip(",") in _NOTHING and value:
            masked.append(line)
            continue
        masked.append(f"{heading['lead']} {MASK}" if value else line)
        if value.startswith(_OPENS[1:]) or not value:
            below = heading["indent"]
    return masked


def mask_value(value: object) -> object:
    """Return a JSON value with its secrets masked, by name and by form."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {
            k: _hidden(v) if isinstance(k, str) and is_secret_name(k) else mask_value(v)
            for k, v in value.items()
        }
    if isinstance(value, Sequence):
        return [mask_value(v) for v in value]
    return value


def mask_argv(argv: Sequence[str]) -> list[str]:
    """Return a command line to show: what follows ``--api-key`` and its like is masked."""
    shown: list[str] = []
    secret_next = False
    for word in argv:
        shown.append(MASK if secret_next else mask(word))
        secret_next = word.startswith("--") and is_secret_name(word[2:])
    return shown


def is_secret_name(name: str) -> bool:
    """Tell whether a key, an option or a variable of this name holds a secret."""
    return bool(_WORTH_A_LOOK.search(name) and re.fullmatch(_NAMED, name))


def _mask_line(line: str) -> str:
    if not _WORTH_A_LOOK.search(line):
        return line
    for pattern in (_HEADER, _BEARER, _QUOTED, _ASSIGNED, _OPTION, _URL):
        line = re.sub(pattern, rf"\g<1>{MASK}", line)
    return re.sub(_SHAPE, MASK, line)


def _hidden(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {k: _hidden(v) for k, v in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_hidden(v) for v in value]
    return MASK if value != "" else value


def _belongs(line: str, indent: str) -> bool:
    """Tell whether a line is part of the value whose name stands at ``indent``."""
    own = _indent(line)
    return len(own) > len(indent) or (len(own) == len(indent) and line.lstrip().startswith("- "))


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip())]
