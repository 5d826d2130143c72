"""Records what a real host with NVIDIA GPUs says, for recorded/.

    PYTHONPATH=installer:tests python3 -m nvml.record NAME NOTE...

Python needs the run-time dependencies of pyproject.toml in its own site-packages: NVML is
asked in isolated mode. Written are NVML's raw answer, the document of ``check --smoke`` for
profile multi with a small fabricated NVFP4 checkpoint, what nvidia-smi says of the memory, and
the seconds that five runs of ``check`` took. The document has what was read of the system
beside the GPUs, too. UUIDs and the host's name are replaced; nothing is installed.
"""

import datetime as dt
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fakes.fake_checkpoint import write_checkpoint
from trtllm_install.probes.gpu import CHILD

RECORDED = Path(__file__).parent / "recorded"
MODELS = ("Qwen3-30B-A3B-FP4", "NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4")
_RUNS = 5


def main(name: str, note: str) -> None:
    """Write recorded/NAME.json, and print what is to be read at once."""
    with tempfile.TemporaryDirectory() as scratch:
        for model in MODELS:
            write_checkpoint(Path(scratch) / "nvidia" / model)
        words = ["--profile", "multi", "--weights-dir", scratch, "--output", "json"]
        seconds = [_timed(words)[1] for _ in range(_RUNS + 1)][1:]  # the first compiles
        document, whole = _timed([*words, "--smoke"])
        document["host"] = "recorded"
    answer = json.loads(_printed([sys.executable, "-I", CHILD]))
    smi = _printed(["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"])
    text = json.dumps(
        {
            "date": dt.datetime.now(tz=dt.timezone.utc).date().isoformat(),
            "driver": answer.get("driver"),
            "note": note,
            "nvidia_smi_total_mib": [int(n) for n in smi.split()],
            "check_seconds": [round(s, 2) for s in seconds],
            "check_smoke_seconds": round(whole, 2),
            "answer": answer,
            "check": document,
        },
        indent=2,
    )
    for number, gpu in enumerate(answer.get("gpus", [])):
        text = text.replace(str(gpu.get("uuid")), f"GPU-00000000-0000-0000-0000-{number:012d}")
    text = re.sub(re.escape(scratch), "/models", text)
    (RECORDED / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")


def _timed(words: list[str]) -> tuple[Any, float]:
    argv = [sys.executable, "-m", "trtllm_install.cli.main", "check", *words]
    begun = time.monotonic()
    printed = _printed(argv)
    return json.loads(printed), time.monotonic() - begun


def _printed(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


if __name__ == "__main__":
    main(sys.argv[1], " ".join(sys.argv[2:]))
