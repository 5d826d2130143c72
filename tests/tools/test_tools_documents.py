"""The documents among themselves: links, translations, numbers; and the table of drift."""

import re
from pathlib import Path
from typing import Final

import pytest

from lab import checkout
from lab.reference import HOWTO, code_of, prose_of, rows, sections
from trtllm_install.model.drift import ASPECTS

DOCUMENTS: Final = checkout.below(".", suffix=".md")


def test_drift_table_has_every_kind_and_aspect() -> None:
    text = (HOWTO / "drift.md").read_text(encoding="utf-8")
    table = rows(sections(text)["What is compared"])
    said = {code_of(r["Kind"]): tuple(re.findall(r"`([a-z -]+)`", r["Aspects"])) for r in table}
    assert said == ASPECTS


def anchors_of(path: Path) -> set[str]:
    """What a heading is called in a link, as the usual forges name it."""
    headings = re.findall(r"^#+ (.*)$", prose_of(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(checkout.ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), target
        assert there.is_relative_to(checkout.ROOT), target
        assert not anchor or anchor in anchors_of(there), target


def test_both_readmes_have_the_same_parts() -> None:
    english, japanese = (
        prose_of((checkout.ROOT / name).read_text(encoding="utf-8"))
        for name in ("README.md", "README.ja.md")
    )

    def skeleton(text: str) -> list[str]:
        """Levels of headings, rows of tables, and where links lead within the checkout."""
        shapes = []
        for line in text.splitlines():
            if line.startswith(("#", "|")):
                shapes.append(line.split(" ")[0])
            shapes += re.findall(r"\]\(([^)#\s]+)\)", line)
        ours = [s for s in shapes if s not in {"README.md", "README.ja.md"}]
        return [shape.replace(".ja.md", ".md") for shape in ours]

    assert skeleton(japanese) == skeleton(english)


def test_adrs_are_numbered_once_and_have_the_same_parts() -> None:
    records = checkout.below("docs/adr", suffix=".md")
    numbers = [path.name[:4] for path in records]
    assert numbers == sorted(set(numbers))
    for path in records:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith(f"# {int(path.name[:4])}. "), path
        headings = [line for line in lines if line.startswith("## ")]
        assert headings == ["## Context", "## Decision", "## Consequences"], path
