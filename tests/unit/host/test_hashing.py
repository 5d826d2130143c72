"""Hashes of real files, read past the page cache."""

import hashlib
import os
from pathlib import Path

import pytest

from trtllm_install.host import hashing
from trtllm_install.host.hashing import hash_file, identity


def go_on(_: int) -> bool:
    return True


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 8192, 8197, 40960])
def test_the_hash_is_that_of_the_content(
    tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_CHUNK", 8192)
    path = tmp_path / "file"
    path.write_bytes(b"weights" * 600)
    os.truncate(path, size)
    told: list[int] = []
    found = hash_file(str(path), ("sha256",), lambda n: told.append(n) is None)
    assert found == (identity(str(path)), {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    assert sum(told) == size


def test_gits_hash_is_that_of_git(tmp_path: Path) -> None:
    path = tmp_path / "hello"
    path.write_text("hello\n")
    found = hash_file(str(path), ("sha256", "git"), go_on)
    assert found is not None
    assert found[1]["git"] == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object


def test_it_stops_when_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    assert hash_file(str(path), ("sha256",), lambda _: False) is None


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "absent"):
        assert hash_file(str(tmp_path / name), ("sha256",), go_on) is None
        assert identity(str(tmp_path / name)) is None


def test_a_link_that_appeared_meanwhile_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        hash_file(str(tmp_path / "link"), ("sha256",), go_on)


def test_a_file_that_changes_while_it_is_read_has_no_hash(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)

    def grow(_: int) -> bool:
        path.write_bytes(b"y" * 200)
        return True

    assert hash_file(str(path), ("sha256",), grow) is None
