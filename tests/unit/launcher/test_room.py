"""What the driver's answer means for a start."""

import json

import pytest

from trtllm_install.launcher.driver import Gpu, describe_users, parse_answer
from trtllm_install.launcher.room import judge_room, judge_unified_room, read_memory

GIB = 1024**3
NO_PROCESS = 4_194_304


def gpu(index: int = 0, *, free: int = 60 * GIB, **users: int) -> Gpu:
    processes: dict[int, int | None] = {int(pid[1:]): held for pid, held in users.items()}
    return Gpu(index, 80 * GIB, free, processes)


def test_enough_memory_is_no_lack() -> None:
    assert judge_room({"0": 60 * GIB}, [gpu(free=60 * GIB)]) == ""
    assert judge_room({}, [gpu(free=0)]) == ""
    assert judge_room({"0": 60 * GIB}, []) == ""  # the driver says nothing


def test_only_its_own_gpus_count() -> None:
    full = gpu(0, free=GIB)
    assert judge_room({"1": 31 * GIB}, [full, gpu(1)]) == ""
    assert judge_room({"0": 31 * GIB}, [full, gpu(1)]) == ("31.0 GiB needed on GPU 0, 1.0 GiB free")


def test_who_holds_the_memory_is_named_the_largest_first() -> None:
    held = {f"p{NO_PROCESS + n}": n * GIB for n in range(1, 6)}
    words = describe_users(gpu(free=0, **held))
    assert words.startswith(f"pid {NO_PROCESS + 5} (unknown, 5.0 GiB), pid {NO_PROCESS + 4} ")
    assert words.endswith(" and 2 more")
    assert describe_users(gpu(free=0)) == ""


def answer(*gpus: object, driver: str = "580.1") -> bytes:
    return json.dumps({"driver": driver, "cuda": 13000, "gpus": gpus}).encode()


def test_the_answer_is_found_after_what_libraries_complain_of() -> None:
    (seen,) = parse_answer(
        b"UserWarning: {}\n"
        + answer(
            {
                "index": 3,
                "memory": {"total": 80, "free": 20},
                "processes": [{"pid": 7, "memory": None}, {"pid": 8, "memory": 60}],
            }
        )
    )
    assert (seen.index, seen.total, seen.free) == (3, 80, 20)
    assert seen.processes == {7: None, 8: 60}


def test_a_gpu_that_does_not_tell_its_memory_is_left_out() -> None:
    not_supported = {"code": 3, "text": "Not Supported"}
    assert parse_answer(answer({"index": 0, "memory": not_supported, "processes": []})) == []
    told = {"index": 0, "memory": {"total": 1, "free": 1}, "processes": not_supported}
    assert parse_answer(answer(told))[0].processes == {}


@pytest.mark.parametrize(
    "text", [b"", b"Killed", b'{"code": 9, "text": "x"}', b"[]", b'{"gpus":1}']
)
def test_an_answer_that_is_none_is_an_error(text: bytes) -> None:
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        parse_answer(text)


def test_unified_memory_needs_what_is_available_and_a_floor_of_free() -> None:
    assert judge_unified_room(40 * GIB, free=5 * GIB, available=60 * GIB) == ""
    assert judge_unified_room(40 * GIB, free=30 * GIB, available=39 * GIB).startswith(
        "40.0 GiB needed, 39.0 GiB of memory available"
    )
    assert "drop_caches" in judge_unified_room(40 * GIB, free=3 * GIB, available=60 * GIB)


def test_the_hosts_memory_is_read() -> None:
    free, available = read_memory()
    assert 0 < free <= available * 2
