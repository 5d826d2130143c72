"""The README's commands and those of the first howto, word for word, on a fresh Debian 12."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import images
from lab.roots import CHECKOUT_INSIDE, WHEELS_INSIDE, BootedRoot

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

ROOT = Path(__file__).parents[2]
# What cannot be run here, each with the reason that the README itself gives.
SKIPPED = {"needs a GPU", "runs this very test"}
_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*) -->\n)?```(?P<kind>sh|text)\n(?P<text>.*?)```", re.DOTALL
)


@dataclass(frozen=True, kw_only=True)
class Block:
    kind: str
    text: str
    mark: str


def blocks_of(document: str) -> list[Block]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        Block(kind=found["kind"], text=found["text"], mark=found["mark"] or "")
        for found in _BLOCK.finditer(text)
    ]


def commands_of(document: str) -> list[Block]:
    return [b for b in blocks_of(document) if b.kind == "sh" and b.mark not in SKIPPED]


BLOCKS = blocks_of("README.md")
COMMANDS = commands_of("README.md")


@pytest.fixture(scope="module")
def root() -> Iterator[BootedRoot]:
    with BootedRoot(images.DEBIAN_12) as booted:
        # sudo passes no environment on, so pip is told where the wheels are by its own file.
        conf = f"[global]\nno-index = yes\nfind-links = {WHEELS_INSIDE}\n"
        booted.run("tee", "/etc/pip.conf", stdin=conf)
        yield booted


def test_the_readme_shows_what_is_printed(root: BootedRoot) -> None:
    ended = run(root, COMMANDS[0].text)
    printed = [shape(line) for line in (ended.stderr + ended.stdout).splitlines()]
    (shown,) = [b.text for b in BLOCKS if b.kind == "text"]
    for line in shown.splitlines():
        # How often a load is seen depends on the machine; the phases and results do not.
        if line.startswith(("==>", "done:")) or "answered" in line or "service" in line:
            assert shape(line) in printed


def test_every_command_of_the_readme_works_in_its_order(root: BootedRoot) -> None:
    for block in COMMANDS[1:]:
        out = run(root, block.text).stdout
        if "/v1/" in block.text:
            assert json.loads(out)["object"] in {"list", "chat.completion"}, block.text


def test_nothing_of_ours_is_left_but_what_it_says(root: BootedRoot) -> None:
    for path in ("/etc/trtllm", "/opt/trtllm", "/usr/local/bin/trtllm-install", "/run/trtllm"):
        assert root.run("test", "-e", path).returncode == 1, path


def test_every_command_of_the_first_howto_works_in_its_order(root: BootedRoot) -> None:
    for block in commands_of("docs/howto/first-install.md"):
        run(root, block.text)
    kept = root.check("cat", "/etc/trtllm/engine/qwen_multi.yaml")
    assert "max_batch_size: 8" in kept  # the edit that the howto makes outlives the uninstall


def test_the_first_howto_has_the_same_commands_in_japanese() -> None:
    english, japanese = "docs/howto/first-install.md", "docs/howto/first-install.ja.md"
    assert blocks_of(japanese) == blocks_of(english)


def run(root: BootedRoot, script: str):  # noqa: ANN201
    ended = root.run("sh", "-euc", f"cd {CHECKOUT_INSIDE}\n{script}", timeout=240)
    assert ended.returncode == 0, f"{script}\n{ended.stdout}\n{ended.stderr}"
    return ended


def shape(line: str) -> str:
    """A line without its figures."""
    return re.sub(r"[0-9]+(\.[0-9]+)?", "N", line)
