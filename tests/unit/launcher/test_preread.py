"""Reading ahead stops when memory gets short, and never takes more than there is room for."""

import mmap
import os
from pathlib import Path

import pytest

from trtllm_install.launcher import preread
from trtllm_install.launcher.caches import find_outdated, prepare
from trtllm_install.launcher.pagecache import find_weight_files
from trtllm_install.launcher.preread import has_room, read_ahead

GIB = 1 << 30


def write_shards(folder: Path, count: int, size: int) -> None:
    for number in range(count):
        with (folder / f"model-{number}.safetensors").open("wb") as file:
            file.truncate(size)  # zeros that no disk holds


@pytest.mark.parametrize(("available", "room"), [(21 * GIB, False), (22 * GIB, True)])
def test_the_weights_and_a_reserve_must_fit(
    monkeypatch: pytest.MonkeyPatch, available: int, *, room: bool
) -> None:
    monkeypatch.setattr(preread.room, "read_memory", lambda: (0, available))
    assert has_room(18 * GIB) is room


def test_every_weight_file_is_read_and_nothing_else(tmp_path: Path) -> None:
    write_shards(tmp_path, 3, 5 << 20)
    (tmp_path / "tokenizer.json").write_text("{}")
    counter = mmap.mmap(-1, mmap.PAGESIZE)
    read_ahead(str(tmp_path), 15 << 20, counter)
    assert int.from_bytes(counter[:8], "little") == 15 << 20


def test_it_stops_when_others_take_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shards(tmp_path, 3, 64 << 20)
    monkeypatch.setattr(preread.room, "read_memory", lambda: (0, GIB))
    counter = mmap.mmap(-1, mmap.PAGESIZE)
    read_ahead(str(tmp_path), 192 << 20, counter)
    assert int.from_bytes(counter[:8], "little") == 64 << 20


def test_weight_files_are_found_also_where_links_lead(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    blob = tmp_path / "blobs/1"
    blob.write_bytes(b"x" * 10)
    (tmp_path / "b.safetensors").symlink_to(blob)
    (tmp_path / "a.safetensors").write_bytes(b"y")
    (tmp_path / "gone.safetensors").symlink_to(tmp_path / "nowhere")
    names = [(Path(path).name, size) for path, size in find_weight_files(str(tmp_path))]
    assert names == [("a.safetensors", 1), ("b.safetensors", 10)]
    assert find_weight_files(str(tmp_path / "absent")) == []


def test_the_version_before_keeps_its_kernels(tmp_path: Path) -> None:
    for moment, version in enumerate(("3", "1", "2")):
        prepare(str(tmp_path / version))
        os.utime(tmp_path / version, (moment, moment))  # the file system's clock ticks too slowly
    own = str(tmp_path / "2")
    assert find_outdated(own) == [str(tmp_path / "3")]
    assert find_outdated(str(tmp_path / "absent/2")) == []
