"""Wheels made on the spot: small, real to pip, and with nothing real inside."""

import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

# What trtllm-serve of the made-up engine does: it becomes our simulator, as the tool has it.
_SERVE = '''"""Stands in for TensorRT-LLM: trtllm_install.simulator, run by another Python."""
import os
import sys

PYTHON = "{python}"


def main():
    os.execv(PYTHON, [PYTHON, "-m", "trtllm_install.simulator.main", *sys.argv[1:]])
'''


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, str],
    *,
    requires: Iterable[str] = (),
    scripts: Mapping[str, str] | None = None,
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel and return its path; ``scripts`` is name -> "module:function"."""
    info = f"{name}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    entries = [f"{script} = {target}" for script, target in (scripts or {}).items()]
    texts = {
        **files,
        f"{info}/METADATA": "\n".join([*metadata, ""]),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{info}/entry_points.txt": "\n".join(["[console_scripts]", *entries, ""]),
    }
    record = "".join(f"{path},,\n" for path in [*texts, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for inside, text in {**texts, f"{info}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(inside, (2026, 1, 1, 0, 0, 0)), text)
    return path


def make_engine_wheels(
    folder: Path, *, version: str = "1.3.0rc2", python: str = "/opt/trtllm/tool/bin/python3"
) -> None:
    """Fill a folder with an engine's wheels: tensorrt_llm and the torch that it needs."""
    folder.mkdir(parents=True, exist_ok=True)
    make_wheel(folder, "torch", "2.9.1+cu130", {"torch/__init__.py": "version = 1\n"})
    make_wheel(folder, "torchvision", "0.24.1", {"torchvision/__init__.py": ""})
    make_wheel(
        folder,
        "tensorrt_llm",
        version,
        {
            "tensorrt_llm/__init__.py": f"__version__ = {version!r}\n",
            "tensorrt_llm/serve.py": _SERVE.format(python=python),
        },
        requires=["torch>=2.9.1,<=2.10.0a0", "torchvision"],
        scripts={"trtllm-serve": "tensorrt_llm.serve:main"},
    )


def lock_wheels(folder: Path) -> Path:
    """Write requirements.txt with the hash of every wheel in the folder."""
    lines = []
    for path in sorted(folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    lock = folder / "requirements.txt"
    lock.write_text("".join(lines), encoding="utf-8")
    return lock
