"""Judges the GPUs against what the instances want of them."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.judge.gpu_budget import GIB, GpuBudget, budget
from trtllm_install.model.facts import Facts, Gpu, GpuFacts, Unknown, WeightsFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation, Instance

FP4_CAPABILITY: Final = (
    10,
    0,
)  # Blackwell; TensorRT-LLM: "FP4 Gemm not supported before Blackwell"


def check_gpus_present(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find instances without the GPU they name, and GPUs that are lost."""
    if isinstance(facts.gpu, Unknown):
        return
    gpus = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    for lost in facts.gpu.lost if isinstance(facts.gpu, GpuFacts) else ():
        yield found(
            "gpu-lost",
            f"GPU {lost.index}",
            what=lost.detail,
            expected="a GPU that answers",
            remedy="sudo journalctl -k -b | grep -i xid, then sudo reboot",
        )
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
                remedy="nvidia-smi -L, then name one of these under gpus in /etc/trtllm/site.yaml"
                if gpus
                else "run on a host with an NVIDIA GPU, or add --simulate",
            )


def check_quantization(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find FP4 weights on GPUs that cannot compute FP4."""
    for instance in installation.instances:
        quantization = _quantization(facts, instance)
        old = [g for g in gpus_of(facts, instance) if g.capability < FP4_CAPABILITY]
        if "FP4" in quantization.upper() and old:
            shown = ", ".join(
                f"GPU {g.index} ({g.name}) has {g.capability[0]}.{g.capability[1]}" for g in old
            )
            yield found(
                "gpu-too-old-for-quantization",
                instance.name,
                what=f"the weights are {quantization}, and {shown}",
                expected="compute capability 10.0 (Blackwell) or newer",
                remedy="serve a checkpoint of another quantization (FP8 or BF16) from a profile "
                "of your own in /etc/trtllm/profiles, or use a Blackwell GPU",
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


def check_gpu_state(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find MIG modes, strangers' processes and memory that cannot be read."""
    wanted = dict.fromkeys(g for i in installation.instances for g in gpus_of(facts, i))
    for gpu in wanted:
        subject = f"GPU {gpu.index}"
        if gpu.mig_pending != gpu.mig:
            word = "on" if gpu.mig_pending else "off"
            yield found(
                "mig-pending",
                subject,
                what=f"MIG is to be {word} after the next reset",
                expected="a mode that is in force",
                remedy="sudo reboot (or undo it: sudo nvidia-smi -mig "
                f"{int(gpu.mig)} -i {gpu.index})",
            )
        elif gpu.mig:
            yield found(
                "mig-enabled",
                subject,
                what="an instance sees one slice at most",
                expected="a whole GPU, or MIG UUIDs",
                remedy="nvidia-smi -L, then MIG-… under gpus in /etc/trtllm/site.yaml",
            )
        if isinstance(gpu.memory, Unknown) or (gpu.memory is None and not gpu.unified):
            reason = gpu.memory.reason if gpu.memory else "the driver does not support the question"
            yield found(
                "gpu-memory-unknown",
                subject,
                what=reason,
                expected="bytes, or unified memory of a known GPU",
                remedy=f"nvidia-smi -q -d MEMORY -i {gpu.index}",
            )
        yield from _strangers(gpu, subject)


def gpus_of(facts: Facts, instance: Instance) -> tuple[Gpu, ...]:
    """Return the GPUs an instance may use, empty where none could be observed."""
    if not isinstance(facts.gpu, GpuFacts):
        return ()
    if not instance.gpus:
        return facts.gpu.gpus
    return tuple(g for g in facts.gpu.gpus if any(_is(g, w) for w in instance.gpus))


def _strangers(gpu: Gpu, subject: str) -> Iterator[Finding]:
    strangers = [p for p in gpu.processes if not p.ours]
    if strangers:
        shown = ", ".join(
            f"{p.name or 'a process'} (pid {p.pid}"
            + (f", {p.memory / GIB:.1f} GiB)" if p.memory is not None else ")")
            for p in strangers
        )
        yield found(
            "gpu-in-use",
            subject,
            what=shown,
            expected="no other process",
            remedy=f"stop it where it was started, else: sudo kill {strangers[0].pid}",
        )


def _is(gpu: Gpu, wanted: str) -> bool:
    """Tell whether an index or a UUID (or its beginning, as CUDA allows) names this GPU."""
    if wanted.isdecimal():
        return gpu.index == int(wanted[:9])
    return bool(wanted) and gpu.uuid.startswith(wanted)


def _quantization(facts: Facts, instance: Instance) -> str:
    """Return what the checkpoint states; where it says nothing of use, what its name does."""
    weights = dict(facts.weights).get(instance.name)
    stated = weights.quantization if isinstance(weights, WeightsFacts) else ""
    if stated.lower() not in {"", "modelopt", "mixed_precision"}:
        return stated
    return next((q for q in ("NVFP4", "FP4") if q in instance.model.upper()), stated)


def _total(gpu: Gpu, facts: Facts) -> int | None:
    known = budget(gpu, facts.system)
    return known.total if isinstance(known, GpuBudget) else None
