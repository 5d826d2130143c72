"""The healthy host with something changed, and what is found then."""

from dataclasses import replace

from fakes.healthy import FACTS, GPU, INSTALLATION
from trtllm_install.judge.judge import judge
from trtllm_install.model import facts as f
from trtllm_install.model.findings import Finding
from trtllm_install.model.installation import Installation, Instance

QWEN, NEMOTRON = INSTALLATION.instances
HOPPER = replace(GPU, name="NVIDIA H100 80GB HBM3", capability=(9, 0))
GIB = 2**30


def findings(*, installation: Installation = INSTALLATION, **changed: object) -> dict[str, Finding]:
    """Judge the healthy host with parts replaced; return code -> finding."""
    return {x.code: x for x in judge(replace(FACTS, **changed), installation)}


def with_gpus(*gpus: f.Gpu, **changed: object) -> f.GpuFacts:
    assert isinstance(FACTS.gpu, f.GpuFacts)
    return replace(FACTS.gpu, gpus=gpus, **changed)


def weights(**changed: object) -> tuple[tuple[str, f.WeightsFacts], ...]:
    """Return the facts with Qwen's weights changed."""
    (name, qwen), *others = FACTS.weights
    assert isinstance(qwen, f.WeightsFacts)
    return ((name, replace(qwen, **changed)), *others)  # type: ignore[arg-type]


def instances(**changed: object) -> tuple[Instance, ...]:
    return (replace(QWEN, **changed), NEMOTRON)  # type: ignore[arg-type]
