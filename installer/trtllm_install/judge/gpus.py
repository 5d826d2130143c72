"""Judges the GPUs against what the instances want of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trtllm_install.judge.gpu_budget import GIB, GpuBudget, budget
from trtllm_install.model.facts import Facts, Gpu, GpuFacts, LostGpu, Unknown, WeightsFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation, Instance

# NVML_ERROR_* for one GPU: what to do when it is not simply gone.
_LOST_REMEDY: Final = {
    4: "ls -l /dev/nvidia* (and run again with sudo)",
    8: "shut down and connect the power cables of the card",
}
_REBOOT: Final = "sudo journalctl -k -b | grep -i xid, then sudo reboot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The oldest GPU that computes a quantization, and what older ones can be given instead."""

    capability: tuple[int, int]
    generation: str
    other: str


# TensorRT-LLM: "FP4 Gemm not supported before Blackwell"; FP8 tensor cores came with 8.9.
FP4: Final = Needed(capability=(10, 0), generation="Blackwell", other="FP8 or BF16")
FP8: Final = Needed(capability=(8, 9), generation="Ada", other="INT4 AWQ or BF16")


def check_gpus_present(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find instances without the GPU they name, and GPUs that are lost."""
    if isinstance(facts.gpu, Unknown):
        return
    gpus = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    lost = facts.gpu.lost if isinstance(facts.gpu, GpuFacts) else ()
    for gone in lost:
        yield found(
            "gpu-lost",
            f"GPU {gone.index}",
            what=gone.detail,
            expected="a GPU that answers",
            remedy=_LOST_REMEDY.get(gone.code, _REBOOT),
        )
    if isinstance(facts.gpu, GpuFacts):
        yield from _not_driven(facts, gpus, lost)
    shown = ", ".join(f"{g.index} ({g.name}, {g.uuid})" for g in gpus) or "no GPU"
    for instance in installation.instances:
        lacking = [w for w in instance.gpus if not any(_is(g, w) for g in gpus)]
        lacking = [w for w in lacking if not w.startswith("MIG-")]  # slices are not listed
        if lacking or not gpus:
            wanted = f"GPU {', '.join(lacking)}" if lacking else "a GPU"
            yield found(
                "gpu-missing",
                instance.name,
                what=f"the driver shows {shown}",
                expected=wanted,
                remedy=_where_to_look(facts, gpus),
            )


def check_quantization(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find weights on GPUs whose generation cannot compute their quantization."""
    for instance in installation.instances:
        quantization = _quantization(facts, instance)
        needed = _needed(quantization)
        old = [g for g in gpus_of(facts, instance) if needed and g.capability < needed.capability]
        if needed and old:
            oldest = "{}.{}".format(*needed.capability)
            shown = ", ".join(
                f"GPU {g.index} ({g.name}) has {g.capability[0]}.{g.capability[1]}" for g in old
            )
            yield found(
                "gpu-too-old-for-quantization",
                instance.name,
                what=f"the weights are {quantization}, and {shown}",
                expected=f"compute capability {oldest} ({needed.generation}) or newer",
                remedy=f"serve a checkpoint of another quantization ({needed.other}) from a "
                "profile of your own in /etc/trtllm/profiles, or use a GPU of "
                f"{needed.generation} or newer",
            )


def check_memory(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find weights that can never fit: the sum of the files against the sum of the memory.

    A lower bound on purpose: caches, graphs and contexts come on top.
    """
    sizes = {n: w.size for n, w in facts.weights if isinstance(w, WeightsFacts)}
    placed = {i.name: frozenset(gpus_of(facts, i)) for i in installation.instances}
    for together in dict.fromkeys(placed.values()):
        memory = [_total(g, facts) for g in together]
        if not together or any(m is None for m in memory):
            continue
        names = [n for n, gpus in placed.items() if gpus <= together]
        need, have = sum(sizes.get(n, 0) for n in names), sum(m or 0 for m in memory)
        if need > have:
            yield found(
                "gpu-memory-too-small",
                f"GPU {', '.join(str(n) for n in sorted(g.index for g in together))}",
                what=f"the weights of {', '.join(names)} take {need / GIB:.1f} GiB, "
                f"the memory is {have / GIB:.1f} GiB",
                expected="memory for the weights and about a quarter more",
                remedy="serve fewer instances here (--profile qwen), or give each its own GPU "
                "under gpus in /etc/trtllm/site.yaml",
            )


def gpus_of(facts: Facts, instance: Instance) -> tuple[Gpu, ...]:
    """Return the GPUs an instance may use, empty where none could be observed."""
    if not isinstance(facts.gpu, GpuFacts):
        return ()
    if not instance.gpus:
        return facts.gpu.gpus
    return tuple(g for g in facts.gpu.gpus if any(_is(g, w) for w in instance.gpus))


def used_gpus(facts: Facts, installation: Installation) -> tuple[Gpu, ...]:
    """Return the GPUs that any instance may use, each once, in NVML's order."""
    used = {g.index for i in installation.instances for g in gpus_of(facts, i)}
    listed = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    return tuple(g for g in listed if g.index in used)


def _where_to_look(facts: Facts, gpus: tuple[Gpu, ...]) -> str:
    if gpus:
        return "nvidia-smi -L, then name one of these under gpus in /etc/trtllm/site.yaml"
    on_bus = facts.platform.on_bus if facts.platform else ()
    if on_bus and not isinstance(on_bus, Unknown):
        return "sudo dmesg | grep -i nvrm says why the driver leaves the card alone"
    return "run on a host with an NVIDIA GPU, or add --simulate"


def _not_driven(
    facts: Facts, gpus: tuple[Gpu, ...], lost: tuple[LostGpu, ...]
) -> Iterator[Finding]:
    """Find cards on the bus that the driver does not even count."""
    on_bus = facts.platform.on_bus if facts.platform else ()
    if isinstance(on_bus, Unknown) or len(on_bus) <= len(gpus) + len(lost):
        return
    known = {g.pci for g in gpus}
    unknown = [address for address in on_bus if address not in known]
    yield found(
        "gpu-not-driven",
        "this host",
        what=f"NVIDIA GPUs on the PCI bus: {len(on_bus)}, of the driver: {len(gpus) + len(lost)}"
        f" (not among them: {', '.join(unknown[:8])})",
        expected="a driver that drives them all, or cards that are meant for something else",
        remedy="sudo dmesg | grep -i nvrm says why; lspci -k -d 10de: shows which driver has them",
    )


def _is(gpu: Gpu, wanted: str) -> bool:
    """Tell whether an index or a UUID (or its beginning, as CUDA allows) names this GPU."""
    if wanted.isdecimal():
        return gpu.index == int(wanted[:9])
    return bool(wanted) and gpu.uuid.startswith(wanted)


def _needed(quantization: str) -> Needed | None:
    words = quantization.upper()
    if "MXFP4" in words:  # weights alone: Hopper unpacks them
        return None
    return FP4 if "FP4" in words else FP8 if "FP8" in words else None


def _quantization(facts: Facts, instance: Instance) -> str:
    """Return what the checkpoint states; where it says nothing of use, what its name does."""
    weights = dict(facts.weights).get(instance.name)
    stated = weights.quantization if isinstance(weights, WeightsFacts) else ""
    if stated.lower() not in {"", "modelopt", "mixed_precision"}:
        return stated
    return next((q for q in ("NVFP4", "FP4", "FP8") if q in instance.model.upper()), stated)


def _total(gpu: Gpu, facts: Facts) -> int | None:
    known = budget(gpu, facts.system)
    return known.total if isinstance(known, GpuBudget) else None
