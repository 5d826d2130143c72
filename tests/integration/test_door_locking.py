"""One run at a time; the second is told who the first is."""

import fcntl
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from trtllm_install.host.local import LocalHost
from trtllm_install.host.locking import lock
from trtllm_install.model.errors import HostError, Locked


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lock/trtllm-install.lock")


@pytest.fixture
def holder(path: str) -> Iterator[int]:
    """Another run that holds the lock, and its pid."""
    with child(lock, path) as pid:
        yield pid


@pytest.fixture
def foreign(path: str) -> Iterator[int]:
    """Another program that holds the lock, and its pid."""
    Path(path).parent.mkdir()
    with child(only_flock, path) as pid:
        yield pid


@contextmanager
def child(held: Callable[[str], AbstractContextManager[object]], path: str) -> Iterator[int]:
    """Yield the pid of a process that holds the lock until it is killed."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        hold(held(path), writer)
    try:
        assert os.read(reader, 4) == b"held"
        yield pid
    finally:
        os.close(reader)
        os.close(writer)
        if is_child(pid):
            end(pid)


def hold(held: AbstractContextManager[object], writer: int) -> NoReturn:
    """In the child: take the lock, say so, and keep it until killed."""
    try:
        sys.argv = ["trtllm-install", "--profile", "multi"]
        with held:
            os.write(writer, b"held")
            signal.pause()
    finally:
        os._exit(1)


@contextmanager
def only_flock(path: str) -> Iterator[None]:
    """Take the lock as flock(1) does, which writes nothing."""
    with Path(path).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_child(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return False


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_the_second_run_is_told_pid_command_and_age_of_the_first(path: str, holder: int) -> None:
    with pytest.raises(Locked) as caught, lock(path):
        raise AssertionError
    expected = rf"pid {holder}, trtllm-install --profile multi, for \d+ s$"
    assert re.search(expected, caught.value.message)
    assert "wait" in caught.value.hint


def test_a_patient_run_is_told_once_whom_it_waits_for_and_goes_on(path: str, holder: int) -> None:
    told: list[str] = []

    def hear(text: str) -> None:
        told.append(text)
        end(holder)

    with lock(path, patience=60, told=hear):
        assert told == [t for t in told if t.startswith(f"waiting for another run: pid {holder}, ")]
    assert len(told) == 1


def test_patience_ends(path: str, holder: int) -> None:
    with pytest.raises(Locked, match=rf"after 0.2 s: pid {holder}") as caught:
        lock(path, patience=0.2).__enter__()
    assert "--lock-timeout" in caught.value.hint


def test_no_secret_of_a_command_line_is_shown_to_others(path: str) -> None:
    before, sys.argv = sys.argv, ["trtllm-install", "--index", "https://me:hunter2@host/"]
    try:
        with lock(path):
            assert "hunter2" not in Path(path).read_text()
    finally:
        sys.argv = before


def test_a_lock_dies_with_its_holder(path: str, holder: int) -> None:
    end(holder)
    with lock(path):
        assert str(os.getpid()) in Path(path).read_text()


def test_a_lock_is_free_again_after_use_and_after_an_error(path: str) -> None:
    with pytest.raises(ZeroDivisionError), lock(path):
        raise ZeroDivisionError
    with lock(path):
        pass
    assert Path(path).exists()  # removing it would let two runs hold two files


@pytest.mark.parametrize("note", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff"])
def test_a_holder_that_has_not_said_who_it_is_is_named_all_the_same(
    path: str, holder: int, note: bytes
) -> None:
    Path(path).write_bytes(note)
    with pytest.raises(Locked, match=f"another program holds the lock {path}: pid {holder}, "):
        lock(path).__enter__()


def test_the_run_of_before_is_never_named_for_a_lock_that_another_program_holds(
    path: str, foreign: int
) -> None:
    note = {"pid": os.getpid(), "command": ["trtllm-install"], "since": 0}  # and it still runs
    Path(path).write_text(json.dumps(note), encoding="ascii")
    with pytest.raises(Locked, match=f"another program holds .*: pid {foreign}, ") as caught:
        lock(path).__enter__()
    assert str(os.getpid()) not in caught.value.message


def test_a_holder_that_cannot_be_seen_is_not_made_up(
    path: str, foreign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "listdir", lambda _: ["1", "self"] if foreign else [])
    with pytest.raises(Locked, match="cannot be seen from here") as caught:
        lock(path).__enter__()
    assert "lsns" in caught.value.hint


@pytest.mark.parametrize("since", ["9e9", "1e400", "-1e400", "NaN", '"x"', "null"])
def test_a_clock_that_was_set_gives_no_age_below_zero_and_no_crash(
    path: str, holder: int, since: str
) -> None:
    note = f'{{"pid": {holder}, "command": ["x"], "since": {since}}}'
    Path(path).write_text(note.ljust(200), encoding="ascii")
    with pytest.raises(Locked) as caught, lock(path):
        pass
    assert " for -" not in caught.value.message
    assert f"pid {holder}, " in caught.value.message


def test_a_shorter_note_leaves_nothing_of_a_longer_one(path: str) -> None:
    Path(path).parent.mkdir()
    Path(path).write_bytes(b"x" * 4096)
    with lock(path):
        assert Path(path).read_text().startswith('{"pid": ')
        assert Path(path).read_text().endswith("}")


def test_a_link_in_the_place_of_the_lock_is_not_followed(path: str, tmp_path: Path) -> None:
    Path(path).parent.mkdir()
    Path(path).symlink_to(tmp_path / "shadow")
    with pytest.raises(HostError, match="cannot open the lock"), lock(path):
        raise AssertionError
    assert not (tmp_path / "shadow").exists()


def test_two_image_trees_do_not_block_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = LocalHost(str(tmp_path / "a")), LocalHost(str(tmp_path / "b"))
    with one.lock("/run/lock/x"), other.lock("/run/lock/x"):
        assert (tmp_path / "a/run/lock/x").exists()
