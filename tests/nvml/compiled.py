"""Builds the C libraries of this folder, and writes what they are to answer."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SONAMES = {"nvml.c": "libnvidia-ml.so.1", "cuda.c": "libcuda.so.1"}
_FLAGS = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror")


def build(folder: Path, *sources: str) -> Path:
    """Compile libraries into ``folder`` under their real names; skips without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        missing = "no C compiler: apt-get install gcc libc6-dev"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    folder.mkdir(parents=True, exist_ok=True)
    for source in sources:
        made = folder / SONAMES[source]
        argv = [compiler, *_FLAGS, "-o", str(made), str(HERE / source)]
        ended = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
    return folder


def rendered(described: Mapping[str, Any]) -> str:
    """Return a description as the flat text that nvml.c reads."""
    gpus = described.get("gpus", [])
    lines = [f"count {len(gpus)}"]
    lines += [f"{key} {_value(value)}" for key, value in described.get("nvml", {}).items()]
    for number, gpu in enumerate(gpus):
        lines += [f"gpu{number}.{key} {_value(value)}" for key, value in gpu.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):  # {"error": 15}
        return f"!{value['error']}"
    if isinstance(value, list):
        return " ".join(_value(v) for v in value)
    return "-" if value is None else str(int(value) if isinstance(value, bool) else value)
