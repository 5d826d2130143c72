"""Weights in the page cache when they help, out of it when they are in the way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.big_weights import write_big_checkpoint
from fakes.launcher_room import Room, await_true
from fakes.residency import drop, resident
from fakes.simulated_engine import NEMOTRON

SIZE = 48 << 20
NEARLY_ALL = 0.99  # the kernel takes a page back when it pleases
LOAD = "load_seconds=1,read_all"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path)
    yield made
    made.close()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = write_big_checkpoint(tmp_path, NEMOTRON, SIZE, real=True)
    drop(*folder.glob("*.safetensors"))
    return folder


def cached(folder: Path) -> float:
    shards = list(folder.glob("*.safetensors"))
    return sum(map(resident, shards)) / len(shards)


def test_the_next_model_is_read_ahead_once_the_one_before_has_its_weights(
    room: Room, weights: Path
) -> None:
    room.write_state("qwen", state="loading", progress={"weights_done": False})
    room.write_simulated("nemotron", weights, faults=LOAD, after=("qwen",), preread=True)
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (loading)")
    assert cached(weights) < 0.1
    room.write_state("qwen", state="loading", progress={"weights_done": True})
    nemotron.await_status("; read ahead 48 of 48 MiB")
    assert cached(weights) > NEARLY_ALL
    room.write_state("qwen", state="healthy")
    nemotron.await_state("healthy")
    start = room.read_starts("nemotron")[-1]
    assert start["preread_bytes"] >= SIZE
    assert start["disk_bytes"] < SIZE / 2
    assert start["bytes_read"] >= SIZE


def test_nothing_is_read_ahead_where_the_spec_does_not_ask_for_it(
    room: Room, weights: Path
) -> None:
    room.write_state("qwen", state="loading", progress={"weights_done": True})
    room.write_simulated("nemotron", weights, faults=LOAD, after=("qwen",))
    nemotron = room.start("nemotron")
    nemotron.await_status("waiting for qwen (loading)")
    room.write_state("qwen", state="healthy")
    nemotron.await_state("healthy")
    start = room.read_starts("nemotron")[-1]
    assert start["preread_bytes"] == 0
    assert start["disk_bytes"] >= SIZE


def test_a_stop_ends_the_reading_too(room: Room, weights: Path) -> None:
    room.write_state("qwen", state="loading", progress={"weights_done": True})
    room.write_simulated("nemotron", weights, faults=LOAD, after=("qwen",), preread=True)
    nemotron = room.start("nemotron")
    nemotron.await_status("ahead")
    assert nemotron.stop() == 0


def test_on_unified_memory_the_weights_leave_the_page_cache_after_ready(
    room: Room, weights: Path
) -> None:
    room.write_simulated("nemotron", weights, faults=LOAD, unified_memory=True)
    nemotron = room.start("nemotron")
    nemotron.await_status("warming up")
    assert cached(weights) > NEARLY_ALL
    nemotron.await_state("healthy")
    await_true(lambda: cached(weights) == 0, "an empty page cache")


def test_kernels_of_old_versions_are_removed_and_the_last_ones_stay(room: Room) -> None:
    caches = room.state_dir("qwen") / "cache"
    elsewhere = room.folder / "elsewhere"
    elsewhere.mkdir()
    for version in ("1", "2", "3"):
        (caches / version / "triton").mkdir(parents=True)
        (caches / version / "link").symlink_to(elsewhere)
    (caches / "link").symlink_to(elsewhere)
    room.write_spec("qwen", cache_dir=str(caches / "4"))
    room.start("qwen").await_state("healthy")
    await_true(lambda: len(list(caches.iterdir())) == 3, "two versions, and a link of somebody's")
    assert {path.name for path in caches.iterdir()} == {"3", "4", "link"}
    assert elsewhere.is_dir()


def test_what_lies_beside_a_cache_folder_of_the_operators_choice_is_left_alone(room: Room) -> None:
    data = room.folder / "data"
    for name in ("a", "b", "c"):
        (data / name).mkdir(parents=True)
    caches = room.state_dir("nemotron") / "cache"
    for version in ("1", "2"):
        (caches / version).mkdir(parents=True)
    room.write_spec("qwen", cache_dir=str(data / "trtllm"))
    room.write_spec("nemotron", cache_dir=str(caches / "3"))
    room.start("qwen").await_state("healthy")
    room.start("nemotron").await_state("healthy")
    await_true(lambda: len(list(caches.iterdir())) == 2, "the tidying of the later one")
    assert {path.name for path in data.iterdir()} == {"a", "b", "c", "trtllm"}
