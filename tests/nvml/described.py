"""A host out of a description: files below a folder, and NVML in a process that is real."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fakes.fake_checkpoint import write_checkpoint
from nvml.compiled import HERE, rendered
from trtllm_install.host.local import LocalHost
from trtllm_install.host.protocol import Completed, Entry
from trtllm_install.model.facts.host import SHARED_MEMORY
from trtllm_install.probes.gpu import CHILD

HOSTS = HERE / "hosts"
NAMES = sorted(path.stem for path in HOSTS.glob("*.json"))
MODELS = ("Qwen3-30B-A3B-FP4", "NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4")
WEIGHTS = "/models"
# The host around the GPUs, where a description says nothing else of it.
SYSTEM: dict[str, str | None] = {
    "/proc/meminfo": "MemTotal: 263192576 kB\nMemAvailable: 258998272 kB\n",
    "/proc/self/mountinfo": "22 1 259:2 / / rw,relatime - ext4 /dev/nvme0n1p2 rw\n"
    "23 22 0:23 / /dev/shm rw,nosuid - tmpfs tmpfs rw\n",
    "/proc/self/limits": "Max locked memory         unlimited            unlimited         bytes\n",
    "/usr/bin/gcc": "",
    "/usr/bin/g++": "",
    "/usr/local/cuda/bin/nvcc": "",
    "/usr/local/cuda/version.json": '{"cuda": {"version": "13.0.2"}}',
    "/usr/lib/x86_64-linux-gnu/libmpi.so.40.30.6": "",
}
LINKS = {"/usr/lib/x86_64-linux-gnu/libmpi.so.40": "libmpi.so.40.30.6"}
SAID = {"uname": "6.8.0-45-generic x86_64\n", "getconf": "glibc 2.39\n"}


def description(name: str) -> dict[str, Any]:
    """Return a described host; ``like`` names another one whose parts it changes."""
    told: dict[str, Any] = json.loads((HOSTS / f"{name}.json").read_text(encoding="utf-8"))
    if "like" not in told:
        return told
    base = description(told["like"])
    gpus = [
        {**base["gpus"][n if n < len(base["gpus"]) else 0], **changed}
        for n, changed in enumerate(told.get("gpus", base["gpus"]))
    ]
    parts = ("nvml", "files", "nodes", "processes", "links", "said")
    merged = {part: {**base.get(part, {}), **told.get(part, {})} for part in parts}
    return {**base, **told, **merged, "gpus": gpus}


class DescribedHost(LocalHost):
    """Files below ``folder``; /dev, the kernel's log and NVML as described; root, as install is."""

    def __init__(self, folder: Path, libraries: Path, told: Mapping[str, Any]) -> None:
        super().__init__(str(folder))
        self._told = told
        self._waited = 0.0
        self._answers = folder / "nvml.txt"
        self._libraries = libraries if told.get("library", True) else folder / "no-libraries"
        self._fill(folder)

    def _fill(self, folder: Path) -> None:
        files = {**SYSTEM, **self._told.get("files", {})}
        for pid, process in self._told.get("processes", {}).items():
            files[f"/proc/{pid}/comm"] = process["name"] + "\n"
            files[f"/proc/{pid}/cgroup"] = f"0::/system.slice/{process.get('unit', '')}\n"
            files[f"/proc/{pid}/environ"] = process.get("environment", "")
        files["/usr/bin/dmesg"] = ""
        for path, content in files.items():
            if content is None:
                continue
            at = folder / path.lstrip("/")
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(content, encoding="utf-8")
            at.chmod(0o755 if "/bin/" in path else 0o644)
        for path, target in {**LINKS, **self._told.get("links", {})}.items():
            at = folder / path.lstrip("/")
            at.parent.mkdir(parents=True, exist_ok=True)
            at.symlink_to(target)
        for model in MODELS:
            write_checkpoint(folder / WEIGHTS.lstrip("/") / "nvidia" / model)
        # On a machine with a driver, what is absent here must not be found there.
        (folder / "no-libraries").mkdir()
        (folder / "no-libraries/libnvidia-ml.so.1").write_text("not a library\n", encoding="utf-8")
        self._answers.write_text(rendered(self._told), encoding="utf-8")

    def is_root(self) -> bool:
        """Answer as for the one who installs."""
        return True

    def look(self, path: str) -> Entry | None:
        """Show the device nodes that are described."""
        node = self._told.get("nodes", {}).get(path)
        if not path.startswith("/dev/"):
            return super().look(path)
        if path == SHARED_MEMORY:
            return Entry(kind="directory", mode=0o1777, owner="root", group="root", size=0)
        if node is None:
            return None
        major, mode = node["major"], int(node.get("mode", "0666"), 8)
        return Entry(kind="other", mode=mode, owner="root", group="root", size=0, major=major)

    def free_bytes(self, path: str) -> int:
        """Answer as described, by default a disk that is nearly empty."""
        free: dict[str, int] = self._told.get("free", {})
        return free.get(path, 2**40)

    def names_in(self, path: str) -> tuple[str, ...]:
        """List the device nodes that are described."""
        if path != "/dev":
            return super().names_in(path)
        return tuple(sorted(n.removeprefix("/dev/") for n in self._told.get("nodes", {})))

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """Run NVML's process with the library of the tests; answer the kernel's log."""
        if said := {**SAID, **self._told.get("said", {})}.get(argv[0]):
            return Completed(argv=tuple(argv), code=0, stdout=said, stderr="")
        if argv[0] == "dmesg":
            lines = self._told.get("dmesg", [])
            if lines is None:
                refusal = "dmesg: read kernel buffer failed: Operation not permitted\n"
                return Completed(argv=tuple(argv), code=1, stdout="", stderr=refusal)
            log = "\n".join(["[    0.000000] Linux version", *lines])
            return Completed(argv=tuple(argv), code=0, stdout=log, stderr="")
        if CHILD in argv:
            surroundings = {
                **(environment or {}),
                "LD_LIBRARY_PATH": str(self._libraries),
                "NVML_TEST_HOST": str(self._answers),
            }
            return self._patiently(argv, timeout, surroundings)
        return super().run(argv, timeout=timeout, environment=environment, stdin=stdin)

    def _patiently(
        self, argv: Sequence[str], timeout: float, environment: Mapping[str, str]
    ) -> Completed:
        """Wait for a described hang a moment only, and let the clock say that it was all."""
        if self._told.get("nvml", {}).get("init") != "hang":
            return super().run(argv, timeout=timeout, environment=environment)
        try:
            return super().run(argv, timeout=0.3, environment=environment)
        finally:
            self._waited += timeout

    def monotonic(self) -> float:
        """Return the clock, with the waiting that was cut short."""
        return super().monotonic() + self._waited
