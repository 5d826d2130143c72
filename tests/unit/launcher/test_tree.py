"""Reading processes from /proc."""

import os

import pytest

from trtllm_install.launcher.tree import Process, below, parse_stat, read_io, read_process

STAT = "42 (a (b) c) S 7 42 42 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 9876 1 1 0"


def process(pid: int, parent: int) -> Process:
    return Process(pid, parent, "S", 1, 0.0)


def test_a_name_with_spaces_and_parentheses_does_not_shift_the_fields() -> None:
    found = parse_stat(STAT)
    assert (found.pid, found.parent, found.state, found.start) == (42, 7, "S", 9876)
    assert found.cpu_s == pytest.approx(200 / os.sysconf("SC_CLK_TCK"))


def test_descendants_are_found_whatever_their_order_and_the_root_is_not_one() -> None:
    processes = [process(5, 4), process(4, 2), process(3, 2), process(2, 1), process(9, 1)]
    assert sorted(p.pid for p in below(2, processes)) == [3, 4, 5]
    assert below(9, processes) == []


def test_a_dead_process_does_nothing_any_more() -> None:
    assert not parse_stat(STAT.replace(" S ", " Z ")).alive
    assert parse_stat(STAT.replace(" S ", " D ")).alive


def test_this_process_is_seen() -> None:
    found = read_process(os.getpid())
    assert found is not None
    assert found.parent == os.getppid()
    assert read_io(os.getpid())[0] > 0


def test_a_process_that_is_not_there_is_none() -> None:
    assert read_process(4_194_304) is None
    assert read_io(4_194_304) == (0, 0)
