"""The no-progress deadline of a load."""

from trtllm_install.launcher.load import Progress

MIB = 1024**2


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
    progress.note_bytes({7: 64 * MIB}, now=108)
    assert progress.stalled_s(118) == 0
    progress.note_bytes({7: 64 * MIB + 1000}, now=117)
    assert progress.stalled_s(119) == 11


def test_what_an_ended_process_read_stays_counted() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.note_bytes({7: 64 * MIB, 8: 32 * MIB}, now=101)
    progress.note_bytes({8: 33 * MIB}, now=102)
    assert progress.bytes_read == 97 * MIB


def test_once_it_answers_with_errors_only_success_counts() -> None:
    progress = Progress(budget_s=10, now=100)
    progress.frozen = True
    progress.note_signs(5, now=109)
    assert progress.stalled_s(111) == 11
