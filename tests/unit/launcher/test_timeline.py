"""The record of starts: whole at every moment, bounded, and blind to the wall clock."""

import json
from pathlib import Path
from typing import Any

import pytest

from trtllm_install.launcher import timeline
from trtllm_install.launcher.timeline import KEPT_STARTS, Timeline


def starts(folder: Path) -> list[dict[str, Any]]:
    content = json.loads((folder / "timeline.json").read_text())
    return list(content["starts"])


def new(folder: Path, attempt: int = 1) -> Timeline:
    return Timeline(str(folder / "timeline.json"), "qwen", attempt=attempt)


def test_a_start_that_is_killed_leaves_what_it_did(tmp_path: Path) -> None:
    line = new(tmp_path)
    line.enter("waiting")
    line.enter("admission")
    (start,) = starts(tmp_path)
    assert [phase["phase"] for phase in start["phases"]] == ["waiting", "admission"]
    assert (start["ready_s"], start["exit"]) == (None, None)
    assert start["seen_s"] >= start["phases"][-1]["from_s"]


def test_the_last_starts_are_kept_newest_last(tmp_path: Path) -> None:
    for attempt in range(KEPT_STARTS + 3):
        line = new(tmp_path, attempt)
        line.enter("waiting")
        line.ready()
    assert [start["attempt"] for start in starts(tmp_path)] == [3, 4, 5, 6, 7]


def test_nothing_is_added_once_it_is_ready_or_has_failed(tmp_path: Path) -> None:
    line = new(tmp_path)
    line.enter("start")
    line.ready()
    line.enter("weights")
    line.end(70, "later crash")
    (start,) = starts(tmp_path)
    assert (len(start["phases"]), start["exit"]) == (1, None)


def test_an_engine_that_goes_to_and_fro_does_not_fill_the_file(tmp_path: Path) -> None:
    line = new(tmp_path)
    for _ in range(100):
        line.enter("compile")
        line.enter("warm-up")
    assert len(starts(tmp_path)[0]["phases"]) == 60


def test_a_clock_that_is_set_changes_no_duration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = new(tmp_path)
    line.enter("waiting")
    monkeypatch.setattr(timeline, "time", lambda: 0.0)
    line.enter("admission")
    line.ready()
    (start,) = starts(tmp_path)
    assert 0 <= start["phases"][1]["from_s"] <= start["ready_s"] < 60


@pytest.mark.parametrize("text", ["", "[]", '{"starts": 3}'])
def test_a_damaged_record_costs_the_earlier_starts_and_never_this_one(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "timeline.json").write_text(text)
    new(tmp_path).enter("waiting")
    assert len(starts(tmp_path)) == 1
