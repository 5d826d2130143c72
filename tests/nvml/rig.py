"""Gives a lab host a GPU: the libraries of the tests where a driver has its own."""

import os
from pathlib import Path

from fakes.fake_checkpoint import write_checkpoint
from nvml.compiled import build, rendered
from nvml.described import description

MODELS = "/srv/models"
_MODEL = "nvidia/Qwen3-30B-A3B-FP4"


def put_gpu(tree: Path, described: str, *cuda: str) -> None:
    """Put a described GPU, with one model for it, into a root file system; again to change it."""
    told = description(described)
    libraries = tree / f"usr/lib/{os.uname().machine}-linux-gnu"
    if not (libraries / "libcuda.so.1").exists():
        build(libraries, "nvml.c", "cuda.c")
        write_checkpoint(tree / MODELS.lstrip("/") / _MODEL)
    (tree / "etc/nvml-test-host").write_text(rendered(told), encoding="utf-8")
    uuids = [f"uuid {gpu['uuid']}" for gpu in told["gpus"]]
    (tree / "etc/cuda-test-host").write_text("\n".join([*uuids, *cuda, ""]), encoding="utf-8")
