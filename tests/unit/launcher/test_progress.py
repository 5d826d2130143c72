"""The no-progress deadline of a load, and its figures."""

import pytest

from trtllm_install.launcher.progress import Progress, render_left, render_weights
from trtllm_install.model import phases

MIB = 1024**2
GIB = 1024**3


def test_a_load_that_says_nothing_stalls_after_its_budget_and_not_before() -> None:
    progress = Progress(budget_s=10, now=100)
    assert progress.stalled_s(110) == 0
    assert progress.stalled_s(111) == 11


def test_lines_move_the_deadline() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.note_signs(1, now=109)
    assert progress.stalled_s(118) == 0
    progress.note_signs(1, now=118)
    assert progress.stalled_s(120) == 11


def test_reading_moves_the_deadline_and_a_trickle_does_not() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.note_bytes({7: (64 * MIB, 0)}, now=108)
    assert progress.stalled_s(118) == 0
    progress.note_bytes({7: (64 * MIB + 1000, 0)}, now=117)
    assert progress.stalled_s(119) == 11


def test_what_an_ended_process_read_stays_counted() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.note_bytes({7: (64 * MIB, 0), 8: (32 * MIB, 0)}, now=101)
    progress.note_bytes({8: (33 * MIB, 0)}, now=102)
    assert progress.bytes_read == 97 * MIB


def test_once_it_answers_with_errors_only_success_counts() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.frozen = True
    progress.note_signs(5, now=109)
    assert progress.stalled_s(111) == 11


def test_a_gpu_that_fills_moves_the_deadline() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.note_gpu_bytes(2 * GIB, now=109)
    assert progress.stalled_s(118) == 0
    progress.note_gpu_bytes(2 * GIB + 1000, now=118)
    assert progress.stalled_s(120) == 11


def loading(read: int, *, seconds: float = 6, total: int = 18 * GIB) -> Progress:
    """Half a GiB of libraries, then ``read`` of the weights in ``seconds``."""
    progress = Progress(budget_s=10, now=0, weights_bytes=total)
    progress.note_bytes({7: (GIB // 2, 0)}, now=0)
    progress.note_phase(phases.WEIGHTS)
    progress.note_bytes({7: (GIB // 2 + read, read)}, now=seconds)
    return progress


def test_a_load_is_told_with_its_figures() -> None:
    progress = loading(int(11.4 * GIB))
    assert ", ".join(render_weights(progress, None)) == (
        "loading weights 63 %, 11.4 of 18.0 GiB, 1.9 GiB/s"
    )
    assert progress.left_s(taken_s=10, usual_s=None) == pytest.approx(6.6 / 1.9, rel=0.01)


def test_the_engines_own_count_is_told_where_bytes_say_nothing() -> None:
    assert render_weights(loading(0), 63) == ["loading weights 63 %"]
    assert render_weights(loading(40 * GIB), 12) == ["loading weights 12 %"]  # read twice
    assert render_weights(loading(40 * GIB), None) == ["loading weights"]


def test_earlier_loads_say_how_long_it_will_take_and_a_slow_disk_says_more() -> None:
    assert loading(GIB, seconds=1).left_s(taken_s=30, usual_s=70) == 40
    assert loading(GIB, seconds=10).left_s(taken_s=30, usual_s=70) == pytest.approx(170)
    done = loading(40 * GIB)
    done.note_phase(phases.WARM_UP)
    assert done.left_s(taken_s=71, usual_s=70) is None


def test_how_much_is_left_in_words() -> None:
    assert render_left(40.2, 10, 50) == "about 40 s left"
    assert render_left(None, 71, 70.0) == "71 s so far, usually 70 s"
    assert render_left(None, 5, None) == "5 s so far"


def test_an_engine_that_says_nothing_is_loading_once_it_reads() -> None:
    progress = Progress(budget_s=10, now=0, weights_bytes=18 * GIB)
    progress.note_bytes({7: (GIB // 2, 0)}, now=1)
    assert progress.note_phase(phases.START) == phases.START
    progress.note_bytes({7: (GIB, 0)}, now=2)
    assert progress.note_phase(phases.START) == phases.WEIGHTS


def test_the_disk_is_free_once_the_weights_are_loaded_and_not_while_a_model_is_exported() -> None:
    progress = Progress(budget_s=10, now=0)
    seen = []
    for phase in (phases.START, phases.COMPILE, phases.WEIGHTS, phases.COMPILE, phases.WARM_UP):
        progress.note_phase(phase)
        seen.append(progress.weights_done)
    assert seen == [False, False, False, True, True]


def test_weights_from_the_page_cache_are_told_from_those_from_disk() -> None:
    assert Progress(budget_s=10, now=0).is_cold is None
    assert loading(18 * GIB).is_cold
    warm = Progress(budget_s=10, now=0, weights_bytes=18 * GIB)
    warm.note_bytes({7: (18 * GIB, GIB)}, now=1)
    assert warm.is_cold is False
