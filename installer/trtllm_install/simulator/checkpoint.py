"""What the simulated engine reads of a model folder: the real files, as the real one would."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_READ_AT_MOST = 16 * 1024 * 1024  # bytes of one shard: enough for /proc/<pid>/io to move
_CHUNK = 8 * 1024 * 1024


class LoadError(Exception):
    """The model cannot be loaded; the text is what the real engine's libraries would say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One weight file whose header agrees with its length."""

    path: Path
    size: int  # bytes

    def read_part(self, begin: float, end: float, *, whole: bool = False) -> None:
        """Read the bytes between two shares (0 to 1) of the file; 16 MiB of it unless ``whole``.

        Raises LoadError when the file cannot be read any more.
        """
        limit = self.size if whole else min(self.size, _READ_AT_MOST)
        left = int(limit * end) - int(limit * begin)
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(int(limit * begin))
                while left > 0 and (data := file.read(min(left, _CHUNK))):
                    left -= len(data)
        except OSError as error:
            raise LoadError(f"{type(error).__name__}: {error}") from error


def find_shards(folder: str) -> tuple[Shard, ...]:
    """Return the weight files of a checkpoint, checked; LoadError when one cannot be used."""
    root = Path(folder)
    if not root.is_dir():
        raise LoadError(f"OSError: {folder} is not a local folder and not a known model name")
    if not (root / "config.json").is_file():
        raise LoadError(f"OSError: {folder} does not appear to have a file named config.json")
    names = sorted(set(_indexed(root)) or {path.name for path in root.glob("*.safetensors")})
    if not names:
        raise LoadError(f"FileNotFoundError: no safetensors files in {folder}")
    return tuple(_shard(root / name) for name in names)


def _indexed(root: Path) -> Iterator[str]:
    index = root / "model.safetensors.index.json"
    if not index.is_file():
        return
    try:
        weight_map = json.loads(index.read_bytes())["weight_map"]
        yield from (str(name) for name in weight_map.values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"ValueError: {index}: {error!r}") from error


def _shard(path: Path) -> Shard:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= size - 8:
                raise LoadError(f"SafetensorError: {path}: header too large")
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
        if 8 + length + max(ends, default=0) != size:
            raise LoadError(f"SafetensorError: {path}: file not fully covered by its header")
    except OSError as error:
        raise LoadError(f"{type(error).__name__}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadError(f"SafetensorError: {path}: invalid header: {error!r}") from error
    return Shard(path=path, size=size)
