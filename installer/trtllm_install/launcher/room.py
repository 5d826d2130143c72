"""Whether there is memory for the model: on its GPUs, or in the host's where they share it."""

from collections.abc import Mapping

from trtllm_install.launcher import pagecache, tree
from trtllm_install.launcher.driver import Gpu, Question, describe_users
from trtllm_install.launcher.station import Station
from trtllm_install.launcher.words import render_bytes

_GIB = 1024**3
# Below this the kernel reclaims page cache too slowly for CUDA, and loads were killed at 73
# to 97 % (MiaAI#35); CUDA itself counts page cache as used (unsloth#10705).
_FREE_FLOOR = 4 * _GIB


def find_lack(station: Station) -> str:
    """Return in words what memory lacks for a start, and who holds it; empty if there is enough.

    A driver that gives no answer is no reason to wait: the engine will say what is wrong.
    """
    spec = station.spec
    if not spec.gpu_bytes:
        return ""
    if spec.unified_memory:
        return _find_unified_lack(station)
    if not spec.gpu_argv:
        return ""
    gpus, error = ask_driver(station)
    if error:
        station.log(f"cannot ask the driver how much memory is free: {error}; going on")
    return judge_room(spec.gpu_bytes, gpus)


def ask_driver(station: Station) -> tuple[list[Gpu], str]:
    """Return what the driver says, and why it says nothing."""
    question = Question(station)
    try:
        while not question.done:
            station.turn(0.5)
            question.check_deadline()
    finally:
        question.cancel()
    return question.gpus, question.error


def judge_room(needed: Mapping[str, int], gpus: list[Gpu]) -> str:
    """Return which GPU has too little memory free, in words; empty if none."""
    for gpu in gpus:
        want = needed.get(str(gpu.index), 0)
        if gpu.free < want:
            users = describe_users(gpu)
            held = f", held by {users}" if users else ""
            return (
                f"{render_bytes(want)} needed on GPU {gpu.index}, {render_bytes(gpu.free)} free"
                f"{held}"
            )
    return ""


def _find_unified_lack(station: Station) -> str:
    needed = sum(station.spec.gpu_bytes.values())
    free, available = read_memory()
    if free < _FREE_FLOOR and station.spec.weights:
        pagecache.evict(station.spec.weights)
        free, available = read_memory()
    return judge_unified_room(needed, free, available)


def judge_unified_room(needed: int, free: int, available: int) -> str:
    """Return what lacks of the memory that CPU and GPU share, in words; empty if nothing."""
    if available < needed:
        return f"{render_bytes(needed)} needed, {render_bytes(available)} of memory available"
    if free < min(_FREE_FLOOR, needed):
        return (
            f"{render_bytes(free)} of memory free, the rest is page cache, which CUDA counts as "
            "used; as root: echo 1 > /proc/sys/vm/drop_caches"
        )
    return ""


def read_memory() -> tuple[int, int]:
    """Return MemFree and MemAvailable in bytes (proc_meminfo(5)); 0 where they are hidden."""
    found = {}
    for line in tree.read_proc("meminfo").splitlines():
        name, _, value = line.partition(":")
        if name in {"MemFree", "MemAvailable"}:
            found[name] = int(value.split()[0]) * 1024
    return found.get("MemFree", 0), found.get("MemAvailable", 0)
