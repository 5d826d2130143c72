"""Starts as launchers record them, also the damaged ones."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.fake_timeline import GB, failed, start
from trtllm_install.launcher.timeline import Timeline
from trtllm_install.model.timeline import Start, parse_starts, side_by_side


def parse(*starts: object) -> tuple[Start, ...]:
    return parse_starts("qwen", {"schema": 2, "starts": list(starts)})


def test_a_start_is_read_with_its_phases_and_its_rate() -> None:
    (seen,) = parse(start())
    assert [span.phase for span in seen.spans][:3] == ["waiting", "admission", "start"]
    assert seen.seconds_of("weights") == pytest.approx(21.3)
    assert seen.weights_rate == pytest.approx(18.1 * GB / 21.3)
    assert (seen.outcome, seen.length_s, seen.from_disk) == ("ready", 57.5, 1.0)


def test_turns_of_one_phase_are_summed() -> None:
    turns = [("compile", 0.0), ("warm-up", 4.0), ("compile", 6.0), ("warm-up", 7.0)]
    (seen,) = parse(start(phases=[{"phase": p, "from_s": s} for p, s in turns], ready_s=10.0))
    assert (seen.seconds_of("compile"), seen.seconds_of("warm-up")) == (5, 5)


def test_a_failed_and_a_killed_start_are_told_as_far_as_they_came() -> None:
    (lost,) = parse(failed())
    assert (lost.outcome, lost.exit_code, lost.length_s) == ("failed", 75, 600.1)
    (killed,) = parse(start(ready_s=None, seen_s=40.0))
    assert (killed.outcome, killed.spans[-1].end) == ("unfinished", 56.9)


def test_starts_of_one_boot_are_laid_side_by_side_whatever_the_wall_clock_says() -> None:
    first, second = parse(start(100), start(104.5, started_at=5.0))
    assert [s.offset_s for s in side_by_side((first, second))] == [0, 4.5]
    later = parse(start(3, boot="another", started_at=first.started_at + 60))[0]
    assert [s.offset_s for s in side_by_side((first, later))] == [0, 60]
    assert side_by_side(()) == ()


def test_what_the_launcher_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "timeline.json"
    line = Timeline(str(path), "qwen", attempt=2)
    for phase in ("waiting", "admission", "start", "weights"):
        line.enter(phase)
    line.note(weights_bytes=10, bytes_read=9, disk_bytes=8, preread_bytes=7)
    line.ready()
    (seen,) = parse_starts("qwen", json.loads(path.read_text()))
    assert (seen.attempt, seen.outcome, len(seen.spans)) == (2, "ready", 4)
    assert (seen.weights_bytes, seen.bytes_read, seen.disk_bytes) == (10, 9, 8)


@given(
    st.sampled_from(sorted(start())),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
)
def test_a_damaged_start_is_left_out_and_the_others_stay(key: str, value: object) -> None:
    starts = parse(start(), {**start(), key: value}, start())
    assert len(starts) in {2, 3}
    assert all(s.length_s >= 0 for s in starts)


@pytest.mark.parametrize("content", [None, [], {}, {"starts": 3}, {"starts": [3, None]}])
def test_a_record_that_is_none_has_no_starts(content: object) -> None:
    assert parse_starts("qwen", content) == ()
