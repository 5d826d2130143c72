"""What the fractions mean in start order: each engine takes a share of what it finds free.

AutoDeploy: ``(free - state) * fraction`` after a forward pass, and ``max_tokens`` where that
is less (shim/interface.py, resize_kv_cache). PyTorch: ``(total - peak) * fraction``
(pyexecutor/_util.py), which is the same once everything else on the GPU counts as used.
"""

from collections.abc import Mapping, Sequence

from trtllm_install.model.memory import (
    GpuPlan,
    MemoryPlan,
    Needs,
    Room,
    Share,
    Tenant,
    Unplanned,
)
from trtllm_install.plan.memory.advice import advised_caps, fractions_for
from trtllm_install.plan.memory.needs import needs_of


def plan_memory(
    rooms: Sequence[Room],
    tenants: Sequence[Tenant],
    *,
    unplanned: Sequence[Unplanned] = (),
    simulated: bool = False,
    pinned: bool = False,
) -> MemoryPlan:
    """Return what every tenant gets, ``tenants`` being in start order.

    Promises no more than a GPU has: what is said to fit sums up to its free memory at
    most. More free memory never gives fewer tokens; a larger fraction never gives its
    own instance fewer, nor a later one more.
    """
    by_index = {room.index: room for room in rooms}
    needs: dict[str, Needs] = {}
    left_out = list(unplanned)
    for tenant in tenants:
        if tenant.architecture is None:
            reason = "its config.json does not say the sizes that the sum needs"
            left_out.append(Unplanned(instance=tenant.name, reason=reason))
        elif not tenant.gpus or any(g not in by_index for g in tenant.gpus):
            reason = "the memory of its GPUs is not known"
            left_out.append(Unplanned(instance=tenant.name, reason=reason))
        else:
            needs[tenant.name] = needs_of(tenant, tenant.architecture)
    planned = [t for t in tenants if t.name in needs]
    gpus = lay_out(rooms, planned, needs)
    caps = advised_caps(gpus, planned)
    return MemoryPlan(
        gpus=gpus,
        unplanned=tuple(left_out),
        caps=caps,
        fractions=fractions_for(gpus, caps),
        pinned=pinned,
        simulated=simulated,
    )


def lay_out(
    rooms: Sequence[Room], tenants: Sequence[Tenant], needs: Mapping[str, Needs]
) -> tuple[GpuPlan, ...]:
    """Return each GPU in use with the shares of its tenants, started one after the other."""
    free = {room.index: room.free for room in rooms}
    shares: dict[int, list[Share]] = {room.index: [] for room in rooms}
    for tenant in tenants:
        mine, spread = needs[tenant.name], dict.fromkeys(tenant.gpus)
        # Ranks agree on the least of their tokens.
        paged = min(_paged(free[g] - mine.before, tenant, mine) for g in spread)
        for gpu in spread:
            shares[gpu].append(_share(tenant, mine, free[gpu], paged))
            free[gpu] = max(0, free[gpu] - mine.fixed - paged)
    return tuple(
        GpuPlan(
            room=room,
            shares=tuple(shares[room.index]),
            left=free[room.index],
            short=_lack(room, shares[room.index]),
        )
        for room in rooms
        if shares[room.index]
    )


def _paged(available: int, tenant: Tenant, needs: Needs) -> int:
    """Return bytes of KV cache that the engine would take of ``available``."""
    settings = tenant.settings
    paged = max(0, int(max(0, available) * settings.fraction))
    if settings.max_tokens is not None:
        paged = min(paged, settings.max_tokens * needs.kv_per_token)
    if settings.max_bytes and settings.backend != "_autodeploy":
        paged = min(paged, settings.max_bytes)
    return paged if needs.kv_per_token else 0


def _share(tenant: Tenant, needs: Needs, free: int, paged: int) -> Share:
    settings = tenant.settings
    block = settings.tokens_per_block
    tokens = paged // needs.kv_per_token // block * block if needs.kv_per_token else 0
    slots, sequence = settings.max_batch_size, settings.max_seq_len or tenant.longest
    running = slots
    if needs.kv_per_token:
        running = min(slots, tokens // sequence) if sequence else 0
    least = block * needs.kv_per_token
    rest = max(0, free - needs.before - paged)
    return Share(
        instance=tenant.name,
        needs=needs,
        free_before=free,
        fraction=settings.fraction,
        cap=settings.max_tokens,
        kv=tokens * needs.kv_per_token,
        tokens=tokens,
        sequences=running,
        sequence=sequence,
        slots=slots,
        short=max(0, needs.before + least - free),
        tight=max(0, needs.graphs - rest),
    )


def _lack(room: Room, shares: Sequence[Share]) -> int:
    """Return what lacks for all of them with one token of cache each, whatever the fractions."""
    return max(0, sum(s.needs.before + s.needs.kv_per_token for s in shares) - room.free)
