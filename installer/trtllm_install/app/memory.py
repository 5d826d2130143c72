"""From what was observed to the GPU memory plan, and to the KV caches that it pins."""

import json

from trtllm_install.app.options import Options
from trtllm_install.app.prepare import Wanted, prepare
from trtllm_install.host.protocol import Host
from trtllm_install.judge.gpu_budget import GpuBudget, budget
from trtllm_install.judge.gpus import gpus_of
from trtllm_install.model import layout
from trtllm_install.model.architecture import parse_architecture
from trtllm_install.model.facts import Facts, Gpu, GpuFacts, Unknown, WeightsFacts
from trtllm_install.model.installation import Installation, Instance
from trtllm_install.model.memory import MemoryPlan, Room, Tenant, Unplanned
from trtllm_install.model.receipt import Receipt
from trtllm_install.plan.memory.shares import plan_memory
from trtllm_install.render.instance import Footprint
from trtllm_install.simulator.weights import SIZE_KEY, simulated_checkpoint


def memory_plan(wanted: Wanted, facts: Facts) -> MemoryPlan:
    """Return what each instance gets of each GPU; never raises, and says what is not known."""
    installation = wanted.installation
    tenants: list[Tenant] = []
    unplanned: list[Unplanned] = []
    for instance in installation.instances:
        tenant = _tenant(wanted, facts, instance)
        if isinstance(tenant, Tenant):
            tenants.append(tenant)
        else:
            unplanned.append(Unplanned(instance=instance.name, reason=tenant))
    return plan_memory(
        _rooms(facts),
        tenants,
        unplanned=unplanned,
        simulated=installation.simulate,
        pinned=bool(tenants) and all(t.name in wanted.pins for t in tenants),
    )


def pinned(host: Host, options: Options, receipt: Receipt | None, facts: Facts) -> Wanted:
    """Return what is wanted with every KV cache pinned; as it is where they cannot all fit."""
    bare = prepare(host, options, receipt, {})
    caps = memory_plan(bare, facts).caps
    return prepare(host, options, receipt, {c.instance: c.keys() for c in caps})


def footprints(wanted: Wanted, facts: Facts) -> dict[str, Footprint]:
    """Return what each load takes, by instance: the same whatever runs on the host now."""
    plan = memory_plan(wanted, facts)
    unified = any(gpu.room.unified for gpu in plan.gpus)
    needed: dict[str, dict[str, int]] = {}
    for gpu in plan.gpus if not wanted.installation.simulate else ():
        for share in gpu.shares:
            smallest = share.needs.kv_per_token * wanted.settings[share.instance].tokens_per_block
            needed.setdefault(share.instance, {})[str(gpu.room.index)] = (
                share.needs.fixed + smallest
            )
    return {
        instance.name: Footprint(
            weights_bytes=_weights_bytes(wanted, facts, instance),
            gpu_bytes=needed.get(instance.name, {}),
            unified_memory=unified,
        )
        for instance in wanted.installation.instances
    }


def _weights_bytes(wanted: Wanted, facts: Facts, instance: Instance) -> int:
    if _is_ours(wanted.installation, instance):  # not there before the first install
        files = simulated_checkpoint(instance.model)
        return sum(len(text) for name, text in files.items() if name.endswith(".safetensors"))
    seen = dict(facts.weights).get(instance.name)
    return seen.size if isinstance(seen, WeightsFacts) and seen.present else 0


def _rooms(facts: Facts) -> list[Room]:
    gpus = facts.gpu.gpus if isinstance(facts.gpu, GpuFacts) else ()
    known = ((gpu, budget(gpu, facts.system)) for gpu in gpus if not gpu.mig)
    return [_room(gpu, room) for gpu, room in known if isinstance(room, GpuBudget)]


def _room(gpu: Gpu, room: GpuBudget) -> Room:
    return Room(
        index=gpu.index,
        name=gpu.name,
        total=room.total,
        free=room.free,
        unified=room.unified,
        reason=room.reason,
    )


def _tenant(wanted: Wanted, facts: Facts, instance: Instance) -> Tenant | str:
    """Return the instance as the plan needs it, or why nothing can be said about it."""
    settings = wanted.settings[instance.name]
    seen = dict(facts.weights).get(instance.name)
    gpus = _gpus(facts, instance)
    if any(gpu.mig for gpu in gpus):
        return "its GPU is split by MIG, and the size of a slice is not read"
    if len(gpus) < settings.ranks:
        return f"it is spread over {settings.ranks} GPUs, and {len(gpus)} are there for it"
    places = tuple(gpu.index for gpu in gpus[: settings.ranks])
    if _is_ours(wanted.installation, instance):
        return _simulated_tenant(wanted, instance, places)
    if isinstance(seen, Unknown):
        return f"its weights could not be read: {seen.reason}"
    if not isinstance(seen, WeightsFacts) or not seen.present or not seen.size:
        return "its weights are not there"
    return Tenant(
        name=instance.name,
        gpus=places,
        weights=seen.size,
        architecture=seen.architecture,
        kv_quantization=seen.kv_cache_quantization,
        longest=seen.longest,
        settings=settings,
    )


def _gpus(facts: Facts, instance: Instance) -> tuple[Gpu, ...]:
    """Return the GPUs of an instance as CUDA counts them: in the order in which it names them."""
    return tuple(
        dict.fromkeys(
            gpu
            for name in instance.gpus or ("",)
            for gpu in gpus_of(facts, instance)
            if not name or gpu.uuid.startswith(name) or str(gpu.index) == name
        )
    )


def _is_ours(installation: Installation, instance: Instance) -> bool:
    return installation.simulate and instance.weights.startswith(layout.SIMULATED_WEIGHTS)


def _simulated_tenant(wanted: Wanted, instance: Instance, places: tuple[int, ...]) -> Tenant:
    """Simulated weights are planned at the size of the real ones: that is what is rehearsed."""
    files = simulated_checkpoint(instance.model)
    config = json.loads(files["config.json"])
    return Tenant(
        name=instance.name,
        gpus=places,
        weights=int(config.get(SIZE_KEY, sum(map(len, files.values())))),
        architecture=parse_architecture(config),
        kv_quantization=json.loads(files["hf_quant_config.json"])["quantization"][
            "kv_cache_quant_algo"
        ]
        or "",
        longest=int(config.get("max_position_embeddings", 0)),
        settings=wanted.settings[instance.name],
    )
