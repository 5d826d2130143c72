"""Makes CUDA usable for an unprivileged user, before the first instance starts."""

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import GateFailed
from trtllm_install.model.facts import GpuFacts
from trtllm_install.probes.gpu import probe_gpus

_WITHIN_S = 120.0


def await_gpus(host: Host, *, simulate: bool) -> str:
    """Return a sentence about the GPUs once NVML counts one; raises GateFailed after 2 minutes.

    modprobe and nvidia-modprobe are tried again each time round: at boot nvidia_uvm may be
    asked for before nvidia and fail with ENOMEM (nixpkgs issue 334180).
    """
    if simulate:
        return "simulated: no GPU is looked for"
    deadline = host.monotonic() + _WITHIN_S
    while True:
        for argv in (("modprobe", "nvidia-uvm"), ("nvidia-modprobe", "-u", "-c", "0")):
            if host.which(argv[0]):
                host.run(argv)
        facts = probe_gpus(host)
        if isinstance(facts, GpuFacts) and facts.gpus:
            names = ", ".join(gpu.name for gpu in facts.gpus)
            return f"driver {facts.driver}, GPUs: {names}"
        if host.monotonic() > deadline:
            raise GateFailed(
                f"cannot use a GPU: none within {_WITHIN_S:g} s: {facts}",
                hint="nvidia-smi, then trtllm-install check",
            )
        host.pause(1)
