"""Every command that a document shows exists: verbs, options, paths, units, addresses, files.

Most of them are run as well (test_documents*.py); this is for those that cannot be, and for
those within a line, of which nobody makes a story.
"""

import re
import subprocess
from typing import Final

import pytest

from lab import checkout, documents, shell, stories
from lab.commands import CHECKS, demand, is_ours
from lab.documents import Block
from trtllm_install.cli.arguments import UsageError

BLOCKS: Final = documents.all_blocks()
SHELL: Final = [b for b in BLOCKS if b.kind == "sh" and b.document not in documents.TRANSLATIONS]


# what is run, and what is not -----------------------------------------------------------------


def test_every_block_says_what_it_is() -> None:
    kinds = {"sh", "text", "yaml", "json", "ini", "python", "dockerfile"}
    assert [b.where for b in BLOCKS if b.kind not in kinds] == []


def test_every_block_that_can_be_run_belongs_to_one_story() -> None:
    """A new document, or a block in one that nobody runs, fails here."""
    told = [name for story in stories.STORIES.values() for name in story]
    tests = {path.name for path in checkout.below("tests", suffix=".py")}
    assert set(stories.STORIES) <= tests
    assert sorted(told) == sorted(set(told))
    run = {b.document for b in BLOCKS if b.is_run}
    assert run == set(told), "tell it in lab/stories.py, or say above the block why not"


def test_each_reason_is_known_and_needed() -> None:
    marks = {b.mark for b in BLOCKS if b.kind == "sh" and b.mark}
    assert marks == set(documents.NOT_RUN)
    for name in (*documents.UNRUN_DOCUMENTS, *documents.TRANSLATIONS):
        assert [b for b in documents.blocks_of(name) if b.kind == "sh"], name


def test_translations_have_the_same_blocks() -> None:
    for translated, name in documents.TRANSLATIONS.items():
        theirs, ours = (
            [(b.kind, b.text, b.mark) for b in documents.blocks_of(n)] for n in (translated, name)
        )
        assert theirs == ours, translated


def test_no_command_hides_in_a_block_of_text() -> None:
    """Text is what is printed, or a picture; the synopses are compared with the parser."""
    ours = {"sudo", "trtllm-install", "curl", "systemctl", "ansible", "ansible-playbook", "tar"}
    for block in BLOCKS:
        if block.kind == "text" and block.document != "docs/reference/command-line.md":
            for line in block.text.splitlines():
                assert line.split(" ")[0] not in ours, f"{block.where}: {line}"


# the shell ------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_block_is_what_a_shell_understands(block: Block) -> None:
    for name in ("sh", "bash"):
        ended = subprocess.run(
            [name, "-n"], input=block.text, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, ""), name


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_every_command_of_a_block_exists(block: Block) -> None:
    commands = shell.commands_of(block.text)
    assert commands
    for words in commands:
        demand(shell.program_of(words), written=written_by(block.document))


def test_every_command_within_a_line_exists() -> None:
    wrong, asked = [], 0
    for name in documents.names():
        for code in documents.inline_of(name):
            text = code.text.replace("…", "").replace(" VERB ", " install ")
            first = shell.program_of(text.split())[:1]
            if not first or not (is_ours(first[0]) or first[0] in CHECKS):
                continue
            for words in shell.commands_of(text):
                asked += 1
                try:
                    demand(shell.program_of(words), written=None, whole=False)
                except (AssertionError, UsageError) as error:
                    wrong.append(f"{name}:{code.line}: {code.text}: {str(error)[:200]}")
    assert wrong == []
    assert asked > 100


def written_by(document: str) -> frozenset[str]:
    """Return the names of the profiles that a document has its reader write."""
    text = (checkout.ROOT / document).read_text(encoding="utf-8")
    return frozenset(re.findall(r"/etc/trtllm/profiles/([a-z-]+)\.yaml", text))
