"""What would fit: an absolute KV cache for each instance, the same in every start order."""

import math
from collections.abc import Sequence
from typing import Final

from trtllm_install.model.memory import TOKENS_PER_BLOCK, Cap, GpuPlan, Share, Tenant

# Kept free on a GPU by what is advised: fragmentation, and whatever a bound was too low for.
HEADROOM: Final = 2**30
# A fraction above this leaves CUDA graphs nothing, should a bound be a little too low.
_WIDEST: Final = 0.95


def advised_caps(gpus: Sequence[GpuPlan], tenants: Sequence[Tenant]) -> tuple[Cap, ...]:
    """Return a cap for every tenant that caches, or none where they cannot all fit.

    Where the fractions are sound as they are, the caps are what they come to. Where they do
    not, what is free beside the weights is shared by what each could use: full slots.
    """
    tokens = {t.name: _tokens(t, gpus) for t in tenants}
    if any(n < t.settings.tokens_per_block for t in tenants if (n := tokens[t.name]) is not None):
        return ()
    if not tenants or any(gpu.short for gpu in gpus):
        return ()
    return tuple(
        Cap(instance=name, max_tokens=n, fraction=_fraction(name, tokens, gpus))
        for name, n in tokens.items()
        if n is not None
    )


def fractions_for(gpus: Sequence[GpuPlan], caps: Sequence[Cap]) -> tuple[tuple[str, float], ...]:
    """Return the fraction that comes to each cap when all start in order, rounded down."""
    tokens = {c.instance: c.max_tokens for c in caps}
    found: dict[str, float] = {}
    for gpu in gpus:
        free = gpu.room.free
        for share in gpu.shares:
            if share.instance not in tokens:
                continue
            kv = tokens[share.instance] * share.needs.kv_per_token
            available = free - share.needs.before
            part = math.floor(100 * kv / available) / 100 if available > 0 else 0.0
            found[share.instance] = max(0.01, min(part, found.get(share.instance, 1.0)))
            free -= share.needs.fixed + kv
    return tuple((name, found[name]) for name in tokens if name in found)


def _tokens(tenant: Tenant, gpus: Sequence[GpuPlan]) -> int | None:
    """Return tokens for ``tenant``, whole blocks; None for one that has no KV cache."""
    mine = [(g, s) for g in gpus for s in g.shares if s.instance == tenant.name]
    if not mine or not mine[0][1].needs.kv_per_token:
        return None
    if all(gpu.sound for gpu in gpus):
        wanted = min(_within(s.tokens, s, g) for g, s in mine)
    else:
        wanted = min(_fair(s, g) for g, s in mine)
    block = tenant.settings.tokens_per_block
    return wanted // block * block


def _within(tokens: int, share: Share, gpu: GpuPlan) -> int:
    """Return ``tokens``, or what still leaves the widest fraction its rest in the worst order.

    The worst for an instance is to start last: then it finds its own cache, its graphs
    and what is nobody's, and its fraction is of these.
    """
    rest = share.needs.graphs + gpu.left
    most = int(rest * _WIDEST / (1 - _WIDEST)) // share.needs.kv_per_token
    return min(tokens, most)


def _fair(share: Share, gpu: GpuPlan) -> int:
    """Return tokens by what each could use with every slot full; a block each in any case."""
    blocks = {s.instance: TOKENS_PER_BLOCK * s.needs.kv_per_token for s in gpu.shares}
    room = gpu.room.free - sum(s.needs.fixed for s in gpu.shares) - HEADROOM
    room -= sum(blocks.values())
    if room < 0:
        return 0
    wants = {s.instance: s.slots * max(1, s.sequence) * s.needs.kv_per_token for s in gpu.shares}
    total, mine = sum(wants.values()), wants[share.instance]
    given = blocks[share.instance] + (mine if total <= room else room * mine // total)
    most = int((share.needs.graphs + HEADROOM) * _WIDEST / (1 - _WIDEST))
    return min(given, most) // share.needs.kv_per_token


def _fraction(name: str, tokens: dict[str, int | None], gpus: Sequence[GpuPlan]) -> float:
    """Return a fraction of which ``max_tokens`` is the lesser, also for the last to start."""
    widest = 0.0
    for gpu in gpus:
        taken = sum(
            s.needs.fixed + (tokens[s.instance] or 0) * s.needs.kv_per_token for s in gpu.shares
        )
        for share in gpu.shares:
            if share.instance == name:
                kv = (tokens[name] or 0) * share.needs.kv_per_token
                finds = kv + share.needs.graphs + max(0, gpu.room.free - taken)
                widest = max(widest, kv / finds if finds else 0.0, share.fraction)
    return min(math.ceil(100 * widest + 1) / 100, _WIDEST + 0.02)
