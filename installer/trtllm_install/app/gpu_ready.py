"""Makes CUDA usable for an unprivileged user, before the first instance starts."""

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import GateFailed, HostError
from trtllm_install.model.facts import DriverProblem, GpuFacts, Unknown
from trtllm_install.probes.gpu import probe_gpus
from trtllm_install.probes.gpu_platform import probe_bus

_WITHIN_S = 120.0


def await_gpus(host: Host, *, simulate: bool) -> str:
    """Return a sentence about the GPUs once they can be used; raises GateFailed after 2 minutes.

    Usable is: NVML counts a GPU, the nodes of nvidia-uvm are made, and an NVLink fabric
    that has begun to come up is up. modprobe and nvidia-modprobe are tried again each time
    round: at boot nvidia_uvm may be asked for before nvidia and fail with ENOMEM (nixpkgs
    issue 334180).
    """
    if simulate:
        return "simulated: no GPU is looked for"
    _, switches = probe_bus(host)
    deadline = host.monotonic() + _WITHIN_S
    while True:
        refused = _make_nodes(host)
        facts = probe_gpus(host)
        waiting = _what_lacks(facts, fabric=switches > 0)
        if isinstance(facts, GpuFacts) and not waiting:
            names = ", ".join(gpu.name for gpu in facts.gpus)
            return f"driver {facts.driver}, GPUs: {names}"
        if host.monotonic() > deadline:
            raise GateFailed(
                f"cannot use a GPU: after {_WITHIN_S:g} s {waiting}"
                + (f" ({'; '.join(refused)})" if refused else ""),
                hint="sudo trtllm-install check --smoke",
            )
        host.pause(1)


def _make_nodes(host: Host) -> list[str]:
    """Load nvidia-uvm and make its nodes; return what was refused."""
    refused = []
    for argv in (("modprobe", "nvidia-uvm"), ("nvidia-modprobe", "-u", "-c", "0")):
        if not host.which(argv[0]):
            continue
        try:
            ended = host.run(argv)
        except HostError as error:
            refused.append(error.message)
            continue
        if ended.code:
            said = (ended.stderr.strip().splitlines() or [f"exit {ended.code}"])[-1]
            refused.append(f"{' '.join(argv)}: {said}")
    return refused


def _what_lacks(facts: GpuFacts | DriverProblem | Unknown, *, fabric: bool) -> str:
    """Return why a GPU cannot be used yet, empty where it can."""
    match facts:
        case DriverProblem(detail=detail):
            return f"the driver says: {detail}"
        case Unknown(reason=reason):
            return f"the driver could not be asked: {reason}"
    if not facts.gpus:
        lost = ", ".join(f"GPU {gpu.index}: {gpu.detail}" for gpu in facts.lost)
        return lost or "the driver shows no GPU"
    begun = {"not-started", "in-progress"} if fabric else {"in-progress"}
    pending = [str(g.index) for g in facts.gpus if g.health.fabric in begun]
    if pending:
        return f"the NVLink fabric of GPU {', '.join(pending)} is not up"
    return ""
