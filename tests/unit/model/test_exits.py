"""Exit codes of the launcher: published, so pinned."""

import re
from pathlib import Path

from trtllm_install.model import exits

PAGE = Path(__file__).parents[3] / "docs/reference/launcher.md"


def test_published_codes_never_change() -> None:
    assert sorted(exits.MEANING) == [0, 64, 66, 70, 71, 75, 77, 78, 80, 81, 82, 83, 84]
    assert exits.NO_RESTART == (64, 66, 77, 78, 80, 83, 84)


def test_a_requested_stop_is_the_only_success_and_is_not_restarted() -> None:
    assert not exits.is_restarted(exits.REQUESTED)
    assert [c for c in exits.MEANING if exits.is_restarted(c)] == [70, 71, 75, 81, 82]


def test_the_reference_page_explains_every_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \| (yes|no) \|$", PAGE.read_text(), re.MULTILINE)
    shown = {int(code): (meaning, restart == "yes") for code, meaning, restart in rows}
    assert shown == {c: (words, exits.is_restarted(c)) for c, words in exits.MEANING.items()}
