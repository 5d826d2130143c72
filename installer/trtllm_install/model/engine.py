"""Engines: what one version is built from, and what is known of the ones that are here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, cast

CURRENT: Final = "current"
SIMULATED: Final = "simulated"
_NAME: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]{0,62}")

Origin = Literal["built", "adopted", "simulated", "found"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What one version of TensorRT-LLM is built from."""

    version: str
    pythons: tuple[str, ...]  # that wheels are made for, the one NVIDIA tests with first
    torch: str
    cuda: str  # local version of the torch that the engine was built with, for example "cu130"
    beside_torch: tuple[str, ...] = ()  # must come from the same index as torch
    torch_index: str = ""  # where torch of that CUDA comes from; empty = pip's own settings
    disk_bytes: int = 0  # that a build takes at its peak
    # Oldest glibc by machine, of those that there are wheels for; empty = not known.
    glibc: Mapping[str, str] = field(default_factory=dict)

    @property
    def requirement(self) -> str:
        """Return what pip is asked for."""
        return f"tensorrt_llm=={self.version}"

    @property
    def torch_pin(self) -> str:
        """Return the pin that keeps pip from taking a torch of another CUDA."""
        return f"torch=={self.torch}+{self.cuda}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """One engine of this host."""

    version: str
    path: str  # where units find it
    home: str  # the folder that really holds it
    origin: Origin
    usable: bool  # its trtllm-serve is there
    current: bool = False
    size: int | None = None  # bytes; None where it was not measured
    python: str = ""
    torch: str = ""
    checked: str = ""  # UTC, ISO 8601; empty = never
    notes: tuple[str, ...] = ()  # how it differs from what we know of its version


def is_engine_name(text: str) -> bool:
    """Tell whether ``text`` may name an engine of ours: one plain path component."""
    return _NAME.fullmatch(text) is not None and text not in {CURRENT, SIMULATED}


def parse_recipe(document: Mapping[str, object]) -> Recipe:
    """Return the recipe that a parsed ``configs/contract/<version>.json`` holds.

    Raises KeyError or TypeError when it lacks a part: it is shipped with us.
    """
    build = cast("Mapping[str, object]", document["build"])
    return Recipe(
        version=str(document["version"]),
        pythons=_texts(build["pythons"]),
        torch=str(build["torch"]),
        cuda=str(build["cuda"]),
        beside_torch=_texts(build["beside_torch"]),
        torch_index=str(build.get("torch_index") or ""),
        disk_bytes=int(str(build["disk_gib"])) * 2**30,
        glibc={str(m): str(v) for m, v in cast("Mapping[str, object]", build["glibc"]).items()},
    )


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(str(text) for text in cast("Sequence[object]", raw))
