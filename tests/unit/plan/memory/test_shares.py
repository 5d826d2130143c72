"""What the fractions mean in start order, for the two models."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fakes.models import NEMOTRON, NEMOTRON_BYTES, QWEN, QWEN_BYTES
from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.memory import EngineSettings, MemoryPlan, Room, Share, Tenant
from trtllm_install.plan.memory.shares import plan_memory

GIB = 2**30
SETTINGS = EngineSettings(
    backend="_autodeploy", max_batch_size=4, max_num_tokens=8192, max_seq_len=32768
)
MODELS = (
    Tenant(
        name="qwen",
        gpus=(0,),
        weights=QWEN_BYTES,
        architecture=parse_architecture(QWEN),
        settings=replace(SETTINGS, fraction=0.3),
    ),
    Tenant(
        name="nemotron",
        gpus=(0,),
        weights=NEMOTRON_BYTES,
        architecture=parse_architecture(NEMOTRON),
        kv_quantization="FP8",
        settings=replace(SETTINGS, fraction=0.5),
    ),
)


def rooms(*free: int) -> list[Room]:
    return [Room(index=n, name="GPU", total=f, free=f) for n, f in enumerate(free)]


def shares(plan: MemoryPlan) -> dict[str, Share]:
    return {s.instance: s for gpu in plan.gpus for s in gpu.shares}


def pinned(plan: MemoryPlan, tenants: Sequence[Tenant]) -> list[Tenant]:
    caps = {c.instance: c for c in plan.caps}
    return [
        replace(
            t,
            settings=replace(
                t.settings, max_tokens=caps[t.name].max_tokens, fraction=caps[t.name].fraction
            ),
        )
        for t in tenants
    ]


def test_the_second_takes_its_fraction_of_what_the_first_left() -> None:
    plan = plan_memory(rooms(80 * GIB), MODELS)
    qwen, nemotron = plan.gpus[0].shares
    free = 80 * GIB - qwen.needs.before
    assert qwen.tokens == int(free * 0.3) // 98_304 // 32 * 32
    assert nemotron.free_before == free - int(free * 0.3) - qwen.needs.graphs
    assert plan.sound
    assert (qwen.sequences, nemotron.sequences) == (4, 4)


def test_both_models_of_the_seed_do_not_fit_into_its_25_gib() -> None:
    (gpu,) = plan_memory(rooms(25 * GIB), MODELS).gpus
    assert not gpu.fits
    assert gpu.short > 17 * GIB


def test_a_profile_that_only_the_fractions_keep_from_fitting_gets_ones_that_fit() -> None:
    plan = plan_memory(rooms(48 * GIB), MODELS)
    assert (plan.fits, plan.gpus[0].short) == (False, 0)
    by_fraction = [
        replace(t, settings=replace(t.settings, fraction=dict(plan.fractions)[t.name]))
        for t in MODELS
    ]
    assert plan_memory(rooms(48 * GIB), by_fraction).sound
    assert plan_memory(rooms(48 * GIB), pinned(plan, MODELS)).sound


def test_max_tokens_caps_and_bytes_cap_with_the_pytorch_backend_alone() -> None:
    capped = replace(MODELS[0], settings=replace(MODELS[0].settings, max_tokens=3200))
    assert shares(plan_memory(rooms(80 * GIB), [capped]))["qwen"].tokens == 3200
    for backend, tokens in (("pytorch", 3200), ("_autodeploy", 184_000)):
        settings = replace(SETTINGS, backend=backend, max_bytes=3200 * 98_304, fraction=0.3)
        found = shares(plan_memory(rooms(80 * GIB), [replace(MODELS[0], settings=settings)]))
        assert found["qwen"].tokens == pytest.approx(tokens, rel=0.1)


def test_one_instance_over_two_gpus_has_what_the_smaller_allows() -> None:
    wide = replace(MODELS[0], gpus=(0, 1), settings=replace(MODELS[0].settings, tensor_parallel=2))
    plan = plan_memory(rooms(40 * GIB, 20 * GIB), [wide])
    small, large = plan.gpus[1].shares[0], plan.gpus[0].shares[0]
    assert small.tokens == large.tokens > 0
    assert small.needs.weights == QWEN_BYTES // 2


def test_what_is_not_known_is_left_out_and_told() -> None:
    plan = plan_memory(rooms(80 * GIB), [replace(MODELS[0], architecture=None), MODELS[1]])
    assert [u.instance for u in plan.unplanned] == ["qwen"]
    plan = plan_memory(rooms(80 * GIB), [replace(MODELS[0], gpus=(7,))])
    assert (plan.gpus, [u.instance for u in plan.unplanned]) == ((), ["qwen"])
