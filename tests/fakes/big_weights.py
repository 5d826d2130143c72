"""Checkpoints of a wanted size: valid for the simulated engine, and as large as a test needs."""

import json
from collections.abc import Iterator
from pathlib import Path

from fakes.simulated_engine import write_checkpoint

_CHUNK = 8 << 20


def write_big_checkpoint(root: Path, model: str, size: int, *, real: bool = False) -> Path:
    """Write a checkpoint whose two shards hold ``size`` bytes together; return its folder.

    Holes unless ``real``: then every byte is on the disk, and noise, so that no file system
    can make less of it.
    """
    folder = write_checkpoint(root, model)
    for shard in sorted(folder.glob("*.safetensors")):
        _write_shard(shard, size // 2, real=real)
    return folder


def _write_shard(path: Path, size: int, *, real: bool) -> None:
    name = json.loads(path.read_bytes()[8:][: int.from_bytes(path.read_bytes()[:8], "little")])
    tensor = next(key for key in name if key != "__metadata__")
    entry = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    header = json.dumps({tensor: entry}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        if real:
            for chunk in _noise(size):
                file.write(chunk)
        else:
            file.truncate(8 + len(header) + size)


def _noise(size: int) -> Iterator[bytes]:
    with Path("/dev/urandom").open("rb") as source:
        block = source.read(_CHUNK)
    for begin in range(0, size, _CHUNK):
        yield begin.to_bytes(8, "little") + block[8 : min(_CHUNK, size - begin)]
