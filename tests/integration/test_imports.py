"""What a quick command does not load: counted, because a loaded machine's clock tells little."""

import os
import subprocess
import sys

from lab import checkout

_SLOW = {"pydantic", "yaml", "jinja2", "rich", "requests", "pynvml", "http", "dataclasses"}


def loaded(*words: str) -> list[str]:
    """Return the modules that a command imports, by the interpreter's own account."""
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "trtllm_install.cli.main", *words],
        env={**os.environ, "PYTHONPATH": str(checkout.ROOT / "installer")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in ended.stderr.splitlines() if line.startswith("import time:")]
    return [line.rpartition("|")[2].strip() for line in lines[1:]]


def test_help_loads_little() -> None:
    """0.15 s are promised; what counts is that nobody makes it import the house."""
    for words in (("--help",), ("install", "--help"), ("--version",)):
        modules = loaded(*words)
        assert 20 < len(modules) < 100, words
        assert {name.partition(".")[0] for name in modules} & _SLOW == set()


def test_a_verb_that_looks_loads_no_more_than_it_needs() -> None:
    tops = {name.partition(".")[0] for name in loaded("status")}
    assert tops & (_SLOW - {"dataclasses"}) == set()
