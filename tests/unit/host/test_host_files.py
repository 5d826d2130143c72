"""Files: whole or not at all, and never through a link."""

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from trtllm_install.host import files


def write(path: Path, content: bytes = b"new", mode: int = 0o640) -> None:
    files.write(str(path), content, mode=mode, owner=None)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_written_with_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write(tmp_path / "a", mode=0o664)
    finally:
        os.umask(before)
    assert ((tmp_path / "a").read_bytes(), mode_of(tmp_path / "a")) == (b"new", 0o664)


def test_nobody_else_can_open_the_file_before_it_has_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name appears by a rename, and what is renamed is complete: content, mode, on disk."""
    seen: list[tuple[int, bytes, int]] = []
    synced: list[int] = []
    rename, fsync = os.rename, os.fsync

    def look_first(source: str, target: str) -> None:
        found = Path(source)
        seen.append((mode_of(found), found.read_bytes(), len(synced)))
        rename(source, target)

    def note(descriptor: int) -> None:
        synced.append(descriptor)
        fsync(descriptor)

    monkeypatch.setattr(os, "rename", look_first)
    monkeypatch.setattr(os, "fsync", note)
    write(tmp_path / "a", mode=0o600)
    assert seen == [(0o600, b"new", 1)]
    assert len(synced) == 2  # the file before the rename, the folder after it


def test_the_temporary_file_is_closed_to_others_until_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[int] = []
    real_write = os.write

    def spy(descriptor: int, data: Any) -> int:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        return real_write(descriptor, data)

    monkeypatch.setattr(os, "write", spy)
    write(tmp_path / "a", mode=0o666)
    assert modes == [0o600]


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda d, data: real_write(d, bytes(data)[:3]))
    write(tmp_path / "a", b"0123456789")
    assert (tmp_path / "a").read_bytes() == b"0123456789"


@pytest.mark.parametrize("call", ["write", "fchmod", "fsync", "rename"])
def test_a_failure_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "a")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_interrupt_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_link_at_the_target_is_replaced_and_what_it_points_to_stays(tmp_path: Path) -> None:
    (tmp_path / "shadow").write_bytes(b"precious")
    (tmp_path / "a").symlink_to("shadow")
    write(tmp_path / "a")
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "shadow").read_bytes() == b"precious"


def test_a_name_that_somebody_put_there_first_is_never_written_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guessing the temporary name gains nothing: O_EXCL and O_NOFOLLOW refuse it."""
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / "shadow").write_bytes(b"precious")
    (tmp_path / ".a.000000000000").symlink_to("shadow")
    with pytest.raises(FileExistsError):
        write(tmp_path / "a")
    assert (tmp_path / "shadow").read_bytes() == b"precious"


def test_a_folder_at_the_target_is_refused_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/inside").touch()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "a")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "inside"]


def test_reading_gives_the_part_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")

    def read(limit: int | None, offset: int) -> bytes | None:
        return files.read(str(path), limit=limit, offset=offset)

    assert read(None, 0) == b"0123456789"
    assert read(3, 0) == b"012"
    assert read(3, 8) == b"89"
    assert read(None, 4) == b"456789"
    assert read(0, 0) == b""
    assert read(5, 100) == b""


def test_short_reads_are_continued_until_the_limit_or_the_end() -> None:
    """A pipe gives what is there, however much was asked for; so does /proc."""
    reader, writer = os.pipe()
    os.write(writer, b"01234")
    os.write(writer, b"56789")
    os.close(writer)
    try:

        class Drip(io.FileIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(min(2, size if size is not None and size >= 0 else 2)) or b""

        with Drip(reader, closefd=False) as file:
            assert files._read_up_to(file, 7) == b"0123456"
            assert files._read_up_to(file, 7) == b"789"
    finally:
        os.close(reader)


@pytest.mark.parametrize("path", ["absent", "a/below-a-file"])
def test_what_is_not_there_is_none(tmp_path: Path, path: str) -> None:
    (tmp_path / "a").touch()
    assert files.read(str(tmp_path / path), limit=None, offset=0) is None
    assert files.look(str(tmp_path / path)) is None


def test_look_says_what_is_there_without_following(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    (tmp_path / "file").chmod(0o4755)
    (tmp_path / "link").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe")
    found = {name: files.look(str(tmp_path / name)) for name in ("file", "link", "pipe", ".")}
    assert {name: e.kind for name, e in found.items() if e} == {
        "file": "file",
        "link": "link",
        "pipe": "other",
        ".": "directory",
    }
    file, link = found["file"], found["link"]
    assert file is not None
    assert link is not None
    assert (file.mode, file.size, file.target) == (0o4755, 3, "")
    assert link.target == "nowhere"


def test_a_folder_is_made_or_corrected(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    files.make_directory(str(folder), mode=0o750, owner=None)
    assert mode_of(folder) == 0o750
    (folder / "inside").touch()
    files.make_directory(str(folder), mode=0o711, owner=None)
    assert (mode_of(folder), [p.name for p in folder.iterdir()]) == (0o711, ["inside"])


def test_a_folder_is_never_made_or_changed_through_a_link(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(OSError, match=r"link"):
        files.make_directory(str(tmp_path / "link"), mode=0o777, owner=None)
    assert mode_of(real) == 0o755


def test_a_link_is_made_and_replaced_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "current"
    files.make_link(str(path), "1.0", owner=None)
    files.make_link(str(path), "2.0", owner=None)
    assert str(path.readlink()) == "2.0"
    assert [p.name for p in tmp_path.iterdir()] == ["current"]


def test_a_link_that_cannot_be_placed_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "current").mkdir()
    with pytest.raises(IsADirectoryError):
        files.make_link(str(tmp_path / "current"), "2.0", owner=None)
    assert [p.name for p in tmp_path.iterdir()] == ["current"]


def test_removing_takes_the_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").touch()
    (tmp_path / "link").symlink_to("real")
    files.remove(str(tmp_path / "link"))
    assert (tmp_path / "real/file").exists()
    with pytest.raises(OSError, match="not empty"):
        files.remove(str(tmp_path / "real"))
    files.remove(str(tmp_path / "real/file"))
    files.remove(str(tmp_path / "real"))
    files.remove(str(tmp_path / "real"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_set_before_the_mode(tmp_path: Path) -> None:
    """chown(2) clears set-id bits, so the order shows."""
    files.write(str(tmp_path / "a"), b"", mode=0o2750, owner=(65534, 65534))
    found = (tmp_path / "a").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65534, 0o2750)


def test_appending_makes_the_file_with_its_mode_and_adds_to_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for content in (b"one\n", b"two\n"):
        files.append(str(path), content, mode=0o640, owner=None)
    assert path.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_appending_follows_no_link_and_waits_for_no_reader(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(OSError, match=r"symbolic links|No such device"):
            files.append(str(tmp_path / name), b"x", mode=0o640, owner=None)
    assert not (tmp_path / "elsewhere").exists()
