"""The memory plan whatever the models and the card: it promises nothing that is not there."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fakes.models import NEMOTRON, QWEN
from trtllm_install.cli.memory_view import CELLS, bar_cells, memory_lines
from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.memory import EngineSettings, MemoryPlan, Room, Share, Tenant
from trtllm_install.plan.memory.shares import plan_memory

GIB = 2**30


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


_FRACTIONS = st.floats(0.01, 0.99)
_SETTINGS = st.builds(
    EngineSettings,
    backend=st.sampled_from(["_autodeploy", "pytorch"]),
    max_batch_size=st.integers(1, 512),
    max_num_tokens=st.integers(1, 16384),
    max_seq_len=st.none() | st.integers(1, 262144),
    fraction=_FRACTIONS,
    max_tokens=st.none() | st.integers(32, 10**7),
    graph_sizes=st.none() | st.just((1, 2, 4)),
)
_TENANTS = st.lists(
    st.builds(
        Tenant,
        name=st.just(""),
        gpus=st.just((0,)),
        weights=st.integers(1, 40 * GIB),
        architecture=st.sampled_from([parse_architecture(QWEN), parse_architecture(NEMOTRON)]),
        kv_quantization=st.sampled_from(["", "FP8"]),
        longest=st.just(40960),
        settings=_SETTINGS,
    ),
    min_size=1,
    max_size=3,
).map(lambda tenants: [replace(t, name=str(n)) for n, t in enumerate(tenants)])
_FREE = st.integers(0, 200 * GIB)


@given(_TENANTS, _FREE)
def test_no_more_is_promised_than_the_card_has(tenants: list[Tenant], free: int) -> None:
    (gpu,) = plan_memory(rooms(free), tenants).gpus
    for share in gpu.shares:
        assert share.kv == share.tokens * share.needs.kv_per_token
        assert share.kv <= max(0, share.free_before - share.needs.before)
        assert share.sequences <= share.slots
        assert share.sequences * share.sequence <= share.tokens or not share.needs.kv_per_token
    if gpu.sound:
        assert sum(s.used for s in gpu.shares) + gpu.left <= free


@given(_TENANTS, _FREE, st.integers(0, 64 * GIB))
def test_more_memory_never_gives_fewer_tokens(tenants: list[Tenant], free: int, more: int) -> None:
    small, large = (shares(plan_memory(rooms(f), tenants)) for f in (free, free + more))
    for name, share in small.items():
        assert large[name].tokens >= share.tokens
        assert large[name].short <= share.short


@given(_TENANTS, _FREE, _FRACTIONS, st.data())
def test_a_larger_fraction_gives_its_own_no_less_and_later_ones_no_more(
    tenants: list[Tenant], free: int, fraction: float, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(tenants) - 1))
    wider = replace(
        tenants[at],
        settings=replace(
            tenants[at].settings, fraction=max(fraction, tenants[at].settings.fraction)
        ),
    )
    before = shares(plan_memory(rooms(free), tenants))
    after = shares(plan_memory(rooms(free), [*tenants[:at], wider, *tenants[at + 1 :]]))
    assert after[str(at)].tokens >= before[str(at)].tokens
    for later in map(str, range(at + 1, len(tenants))):
        assert after[later].tokens <= before[later].tokens


@given(_TENANTS, _FREE)
def test_pinned_shares_fit_and_are_the_same_in_every_start_order(
    tenants: list[Tenant], more: int
) -> None:
    bare = plan_memory(rooms(0), tenants)
    free = sum(share.needs.fixed for share in shares(bare).values()) + more
    plan = plan_memory(rooms(free), tenants)
    if not plan.caps:
        assert more < 2 * GIB  # room for the headroom, and then for a block each
        return
    fixed = pinned(plan, tenants)
    caps = {c.instance: c.max_tokens for c in plan.caps}
    for order in permutations(fixed):
        got = plan_memory(rooms(free), order)
        assert got.sound
        assert {n: s.tokens for n, s in shares(got).items()} == caps


@given(_TENANTS, _FREE, st.integers(0, 10 * GIB))
def test_the_bar_has_its_width_and_no_line_more_than_80_columns(
    tenants: list[Tenant], free: int, others: int
) -> None:
    room = Room(index=0, name="NVIDIA RTX PRO 6000", total=free + others, free=free)
    plan = plan_memory([room], tenants)
    assert len(bar_cells(plan.gpus[0])) == CELLS
    assert [line for line in memory_lines(plan) if len(line) > 80] == []


_JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.lists(st.text())


@given(st.dictionaries(st.sampled_from([*QWEN, *NEMOTRON, "layer_types", "text_config"]), _JSON))
def test_no_config_breaks_the_reading(config: dict[str, Any]) -> None:
    parse_architecture({**NEMOTRON, **config})
