"""The documents as their readers take them: blocks and code in a line, and where each stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lab import checkout

# Why a block is not run by any test: the comment above it in the document, and what it means.
# Every such block is read all the same, word by word, by test_tools_commands.py.
NOT_RUN: Final = {
    "runs this very test": "it would begin the test within the test",
    "needs another machine": "it is typed on a desk, towards a host of somebody's own",
    "needs a network": "it fetches from a distribution or an index; a host of a test has none",
    "needs a bare host": "test_host_engines.py makes a bundle and installs it where nothing is",
    "needs docker": "what it ends is the setup that this project replaces",
    "needs a fleet": "test_fleet_story.py runs these plays on several hosts of its own",
    "needs Prometheus": "test_tools_blocks.py gives it to the promtool of the test machine",
    "stays in the foreground": "tests/integration/test_simulator_*.py start it so",
    "needs mkosi": "test_host_image.py installs into a tree of its own; mkosi needs a network",
}
# Documents of which no block is run, as a whole.
UNRUN_DOCUMENTS: Final = {
    "BENCHMARKS.md": "how figures were measured, in minutes to hours: each is loaded, not run",
}
# Documents with the very blocks of another one, which is compared.
TRANSLATIONS: Final = {
    "README.ja.md": "README.md",
    "docs/howto/first-install.ja.md": "docs/howto/first-install.md",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    document: str
    line: int
    heading: str
    kind: str
    text: str
    mark: str

    @property
    def where(self) -> str:
        return f"{self.document}:{self.line}"

    def __str__(self) -> str:
        """Name a test's parameter."""
        return self.where

    @property
    def is_run(self) -> bool:
        """Tell whether somebody who follows the document on a test's host runs it."""
        unread = self.document in UNRUN_DOCUMENTS or self.document in TRANSLATIONS
        return self.kind == "sh" and self.mark not in NOT_RUN and not unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Inline:
    """Code within a line."""

    document: str
    line: int
    text: str


def names() -> tuple[str, ...]:
    """Return the path of every document in the checkout."""
    return tuple(checkout.relative(checkout.below(".", suffix=".md")))


@cache
def all_blocks() -> tuple[Block, ...]:
    """Return the fenced blocks of every document."""
    return tuple(block for name in names() for block in blocks_of(name))


@cache
def blocks_of(document: str) -> tuple[Block, ...]:
    """Return the fenced blocks of a document, those in lists too, from top to bottom."""
    return tuple(_blocks(document))


@cache
def inline_of(document: str) -> tuple[Inline, ...]:
    """Return what stands in backquotes, in text, tables and lists."""
    return tuple(
        Inline(document=document, line=(token.map or [0])[0] + 1, text=child.content)
        for token in _tokens(document)
        for child in token.children or ()
        if child.type == "code_inline"
    )


def _blocks(document: str) -> Iterator[Block]:
    heading = mark = ""
    after_heading = False
    for token in _tokens(document):
        if token.type == "inline" and after_heading:
            heading = token.content
        after_heading = token.type == "heading_open"
        if token.type == "fence":
            assert token.map is not None
            yield Block(
                document=document,
                line=token.map[0] + 1,
                heading=heading,
                kind=token.info,
                text=token.content,
                mark=mark,
            )
        is_comment = token.type == "html_block"
        mark = token.content.strip().removeprefix("<!--").removesuffix("-->").strip()
        mark = mark if is_comment else ""


@cache
def _tokens(document: str) -> tuple[Token, ...]:
    text = (checkout.ROOT / document).read_text(encoding="utf-8")
    return tuple(MarkdownIt("commonmark").enable("table").parse(text))
