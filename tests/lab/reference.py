"""The reference documents as a reader takes them: their sections, tables and blocks."""

import re
from typing import Final

from lab import checkout

REFERENCE: Final = checkout.ROOT / "docs/reference"
HOWTO: Final = checkout.ROOT / "docs/howto"
_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def document(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def prose_of(text: str) -> str:
    """A document without its code blocks."""
    return _FENCE.sub("", text)


def fences(text: str, kind: str) -> list[str]:
    return [body for found_kind, body in _FENCE.findall(text) if found_kind == kind]


def sections(text: str) -> dict[str, str]:
    """Heading -> what follows it, up to the next heading of any level."""
    parts = re.split(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[dict[str, str]]:
    """Every row of every table, by the names of its columns."""
    found_rows: list[dict[str, str]] = []
    header: list[str] = []
    for line in text.splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line.strip("|"))]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = cells
        elif not set(line) <= set("|-: "):
            assert len(cells) == len(header), line
            found_rows.append(dict(zip(header, cells, strict=True)))
    return found_rows


def code_of(cell: str) -> str:
    return cell.strip("`")
