"""Back-off and crash streaks."""

from pathlib import Path

import pytest

from trtllm_install.launcher.history import (
    DELAYS_S,
    Crash,
    History,
    LoadTime,
    describe_repetition,
    parse_delays,
    plan_delay,
)
from trtllm_install.model import exits

NOW = 1_000_000.0


def crash(
    *,
    at: float = NOW,
    code: int = exits.CRASH,
    signature: str = "70 x",
    served_s: float | None = None,
) -> Crash:
    return Crash(at=at, code=code, reason="r", signature=signature, served_s=served_s)


def test_nothing_is_waited_for_before_the_first_crash() -> None:
    assert plan_delay([], DELAYS_S, NOW) == 0


def test_each_crash_in_a_row_waits_longer_up_to_five_minutes() -> None:
    delays = [plan_delay([crash()] * count, DELAYS_S, NOW) for count in range(1, 8)]
    assert delays == [5, 15, 45, 120, 300, 300, 300]


def test_time_that_has_passed_since_the_crash_counts() -> None:
    assert plan_delay([crash()], DELAYS_S, NOW + 3) == 2
    assert plan_delay([crash()], DELAYS_S, NOW + 60) == 0


def test_a_clock_that_was_set_back_never_makes_the_wait_longer() -> None:
    assert plan_delay([crash()], DELAYS_S, NOW - 86400) == 5


def test_a_port_that_was_taken_is_no_crash() -> None:
    taken = crash(code=exits.TEMPORARY, signature="75 the port is taken")
    assert plan_delay([taken] * 4, DELAYS_S, NOW) == 5
    assert plan_delay([taken, crash(), taken], DELAYS_S, NOW) == 5


@pytest.mark.parametrize("text", ["", "x", "5,y", ","])
def test_delays_that_make_no_sense_are_the_usual_ones(text: str) -> None:
    assert parse_delays(text) == DELAYS_S


def test_delays_can_be_given() -> None:
    assert parse_delays("0.1, 2") == (0.1, 2)


@pytest.mark.parametrize(
    ("crashes", "words"),
    [
        ([crash(served_s=10)] * 3, "three times"),
        ([crash(signature="other"), *[crash(served_s=600)] * 3], "three times"),
        ([crash()] * 5, "five loads"),
        ([crash(code=exits.HANG, signature="82 no progress while loading")] * 5, "five loads"),
    ],
)
def test_a_crash_that_repeats_itself_is_told(crashes: list[Crash], words: str) -> None:
    assert words in describe_repetition(crashes)


@pytest.mark.parametrize(
    "crashes",
    [
        [crash(served_s=10)] * 2,
        [crash(served_s=10), crash(served_s=10), crash(served_s=601)],
        [crash(served_s=10), crash(served_s=10), crash(served_s=None)],
        [crash(served_s=10), crash(signature="70 y", served_s=10), crash(served_s=10)],
        [crash()] * 4,
        [*[crash()] * 4, crash(signature="70 y")],
        [*[crash()] * 4, crash(served_s=10)],
        [crash(code=exits.TEMPORARY, signature="75 the port is taken")] * 5,
        [crash(code=exits.OS_ERROR, signature="71 no space is left")] * 5,
    ],
)
def test_other_crashes_are_not(crashes: list[Crash]) -> None:
    assert not describe_repetition(crashes)


def test_crashes_and_load_time_are_kept_between_starts(tmp_path: Path) -> None:
    first = History(str(tmp_path))
    first.record_load(LoadTime(seconds=41.5, cold=True, boot="b"))
    first.record_crash(crash(served_s=12.0))
    second = History(str(tmp_path))
    assert second.attempt == 2
    assert second.usual_load(cold=None) == 41.5
    assert second.last_exit == {"code": 70, "reason": "r", "at": NOW}
    assert [c.served_s for c in second.crashes] == [12.0]


def test_a_crash_after_thirty_healthy_minutes_begins_a_new_streak(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    history.record_crash(crash())
    history.record_crash(crash())
    history.record_crash(crash(served_s=1800))
    assert len(history.crashes) == 1


@pytest.mark.parametrize("code", [exits.REQUESTED, exits.CONFIGURATION, exits.OOM_LOADING])
def test_an_end_that_is_not_restarted_ends_the_streak(tmp_path: Path, code: int) -> None:
    history = History(str(tmp_path))
    history.record_crash(crash())
    history.record_exit(code, "r", NOW)
    assert History(str(tmp_path)).crashes == []


_CRASH = '{"crashes": [{"at": %s, "code": 1, "reason": "", "served_s": %s, "signature": %s}]}'


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"crashes": 3}', '{"crashes": [{"at": 1}]}'),
        *(_CRASH % ('"x"', 1, '"s"'), _CRASH % ("NaN", 1, '"s"'), _CRASH % ("1e999", 1, '"s"')),
        *(_CRASH % (1, "[]", '"s"'), _CRASH % (1, "null", "7")),
    ],
)
def test_a_damaged_history_costs_the_back_off_and_never_the_start(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "history.json").write_text(text)
    history = History(str(tmp_path))
    assert (history.attempt, history.usual_load(cold=None), history.last_exit) == (1, None, None)


def test_the_history_never_grows_without_bound(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    for _ in range(50):
        history.record_crash(crash())
    assert len(History(str(tmp_path)).crashes) == 20


def load_of(seconds: float, *, cold: bool, boot: str = "b") -> LoadTime:
    return LoadTime(seconds=seconds, cold=cold, boot=boot)


def test_the_usual_load_is_the_median_of_its_kind(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    assert history.usual_load(cold=True) is None
    for seconds in (60, 500, 62, 61):
        history.record_load(load_of(seconds, cold=True))
    history.record_load(load_of(20, cold=False))
    again = History(str(tmp_path))
    assert again.usual_load(cold=True) == 61.5
    assert again.usual_load(cold=False) == 20
    assert again.usual_load(cold=None) == 61  # of all: nobody knows yet


def test_five_loads_of_each_kind_are_kept(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    for seconds in range(30):
        history.record_load(load_of(seconds, cold=seconds % 2 == 0))
    assert sorted(load.seconds for load in history.loads) == list(range(20, 30))


def test_after_a_boot_the_weights_come_from_disk(tmp_path: Path) -> None:
    history = History(str(tmp_path))
    assert history.expects_cold("b") is None
    history.record_load(load_of(20, cold=False))
    assert history.expects_cold("b") is False
    assert history.expects_cold("another") is True
