"""Measures the checks of weights: headers of 100 GB, cold; and hashing at disk speed.

    sudo python benchmarks/weights.py [FOLDER [PROFILE]]

FOLDER is on the disk that is measured (default: /var/tmp), PROFILE is checked (default: qwen,
which has no proxy). The 100 GB are sparse; what is hashed is written and dropped from the
page cache before.
"""

import compileall
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TENSORS, SHARDS, SIZE = 74_000, 20, 100 * 10**9
HASHED = 4 * 2**30
COLD = 6  # runs
MAY = {"weights-unreadable"}  # for the user of the services, in a folder of root's


def sparse_checkpoint(folder: Path) -> None:
    """Write a valid checkpoint of 100 GB that takes no room."""
    folder.mkdir(parents=True)
    each, count = SIZE // TENSORS, TENSORS // SHARDS
    weight_map: dict[str, str] = {}
    for n in range(SHARDS):
        shard = f"model-{n + 1:05}-of-{SHARDS:05}.safetensors"
        names = [f"model.layers.{n}.mlp.experts.{k}.down_proj.weight" for k in range(count)]
        weight_map |= dict.fromkeys(names, shard)
        header = json.dumps(
            {
                name: {"dtype": "U8", "shape": [each], "data_offsets": [k * each, (k + 1) * each]}
                for k, name in enumerate(names)
            }
        ).encode()
        path = folder / shard
        path.write_bytes(len(header).to_bytes(8, "little") + header)
        os.truncate(path, 8 + len(header) + each * count)
    index = {"metadata": {"total_size": each * count * SHARDS}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")


CONFIG = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "num_hidden_layers": 48,
    "hidden_size": 2048,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "vocab_size": 151936,
    "torch_dtype": "bfloat16",
}


def drop_cache(folder: Path) -> str:
    """Forget what is cached: all of it as root, else the files' own pages."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3")
    except OSError:
        for path in folder.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return "posix_fadvise"
    return "drop_caches"


class Run(NamedTuple):
    """What Python code took in a process of its own, and printed."""

    seconds: float
    cpu_s: float  # its own; what it started, apt of the distribution, is not in it
    rss_mb: float  # at most
    output: str


def run(code: str, *arguments: str) -> Run:
    """Run Python code in a process of its own."""
    begun = time.monotonic()
    # By the process itself: what wait4 tells counts the parent's pages before exec.
    ended = subprocess.run(
        [sys.executable, "-c", f"try:\n{indent(code, '  ')}\n{_PEAK}", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "installer")},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    peak, cpu = ended.stderr.rpartition("VmHWM:")[2].split("CPU:")
    return Run(seconds, float(cpu), int(peak.split()[0]) / 1000, ended.stdout)


_PEAK = """
finally:
  import sys, time
  print(open("/proc/self/status").read().split("VmPin")[1].split("VmRSS")[0], file=sys.stderr)
  print("CPU:", time.process_time(), file=sys.stderr)
"""
CHECK = """
import sys
from trtllm_install.cli.main import main
words = ["--weights-dir", sys.argv[1], "--profile", sys.argv[2], "--output", "json"]
sys.argv = ["trtllm-install", "check", *words]
sys.exit(main())
"""
HASH = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from trtllm_install.host.local import LocalHost
host, begun = LocalHost(), time.monotonic()
files = sorted(Path(sys.argv[1]).glob("*.bin"))
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda p: host.hash_file(str(p), ("sha256",), lambda n: True), files))
print(sum(p.stat().st_size for p in files) / 2**30 / (time.monotonic() - begun))
"""


def main() -> None:
    """Print each figure."""
    place, profile = (*sys.argv[1:], *("/var/tmp", "qwen")[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory(dir=place) as folder:
        weights = Path(folder) / "nvidia/Qwen3-30B-A3B-FP4"
        sparse_checkpoint(weights)
        compileall.compile_dir(ROOT / "installer", quiet=1)  # as installing a wheel does
        for heat in (*["cold"] * COLD, "warm"):
            how = drop_cache(weights) if heat == "cold" else "again"
            seen = run(CHECK, folder, profile)
            found = [(f["code"], f["subject"]) for f in json.loads(seen.output)["findings"]]
            assert {c for c, who in found if who == "qwen" and c.startswith("weights-")} <= MAY
            print(
                f"check, 100 GB, {TENSORS} tensors, {heat} ({how}): {seen.seconds:.2f} s, "
                f"{seen.cpu_s:.2f} s of its own CPU, {seen.rss_mb:.0f} MB; "
                f"apt is asked for {dict(found).get('packages-absent', 'nothing')}"
            )
        for n in range(4):
            with (Path(folder) / f"{n}.bin").open("wb") as file:
                for _ in range(HASHED // 4 // 2**24):
                    file.write(os.urandom(2**20) * 16)
        drop_cache(Path(folder))
        seen = run(HASH, folder)
        print(f"hash, {HASHED / 2**30:g} GiB: {float(seen.output):.2f} GiB/s, {seen.rss_mb:.0f} MB")
        drop_cache(Path(folder))
        begun = time.monotonic()
        files = sorted(str(p) for p in Path(folder).glob("*.bin"))
        subprocess.run(
            ["xargs", "-P2", "-n1", "sha256sum"],
            input="\n".join(files),
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        print(f"sha256sum, two at once: {HASHED / 2**30 / (time.monotonic() - begun):.2f} GiB/s")


if __name__ == "__main__":
    main()
