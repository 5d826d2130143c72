"""Engine YAML files: what the site changes in them, and whether the engine would take them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import yaml

from trtllm_install.config.document import parse_document
from trtllm_install.model.contract import Contract
from trtllm_install.model.memory import DEFAULT_FRACTION, TOKENS_PER_BLOCK, EngineSettings
from trtllm_install.model.problems import Problem

_FRACTION: Final = "free_gpu_memory_fraction"
_AUTODEPLOY_LENGTH: Final = 512  # tokens, where neither --max_seq_len nor the key is given
_WITHOUT_GRAPHS: Final = frozenset({"torch-simple", "torch-compile"})


def override(text: str, changes: Mapping[str, object], *, origin: str, instance: str) -> str:
    """Return the YAML of an instance that the site file changes; ``origin`` is its base file."""
    base = parse_document(text, origin).value if text else {}
    merged = dict(base) if isinstance(base, dict) else {}
    for key, value in changes.items():
        inner = merged.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            merged[key] = {**inner, **value}
        else:
            merged[key] = value
    head = (
        f"# {origin or 'empty'} with what site.yaml and --pin-memory change for {instance}.\n"
        "# Edit those two; --unpin-memory takes its part back.\n"
    )
    return head + yaml.safe_dump(merged, sort_keys=False)


def with_pin(changes: Mapping[str, object], pin: Mapping[str, float]) -> dict[str, object]:
    """Return what the site changes together with a pinned KV cache; the site has the last word."""
    inner = changes.get("kv_cache_config")
    return {**changes, "kv_cache_config": {**pin, **(inner if isinstance(inner, Mapping) else {})}}


def engine_config_problems(
    text: str, source: str, backend: str, contract: Contract
) -> tuple[Problem, ...]:
    """Return every reason why ``trtllm-serve --config`` would refuse this file, with its line."""
    document = parse_document(text, source)
    if document.problems:
        return document.problems
    return tuple(
        document.problem(tuple(problem.path.split(".")) if problem.path else (), problem.cause)
        for problem in contract.config_problems(backend, document.value)
    )


def engine_settings(
    text: str | None, arguments: Mapping[str, object], backend: str
) -> EngineSettings:
    """Return what decides about an engine's memory: its YAML over its arguments.

    ``text`` is a YAML file that the engine accepts, None where it is given none;
    ``arguments`` are what ``trtllm-serve`` reads, defaults included.
    """
    value = parse_document(text, "").value if text else {}
    said = _Said(value if isinstance(value, Mapping) else {}, arguments)
    cache = _Said(said.mapping("kv_cache_config"), {})
    longest = said.number("max_seq_len")
    if longest is None and backend == "_autodeploy":
        longest = _AUTODEPLOY_LENGTH
    fraction = cache.value(_FRACTION, arguments.get(_FRACTION))
    if not cache.keys.get(_FRACTION, fraction):
        fraction = 1.0  # null and 0 leave the sizing to max_tokens alone
    return EngineSettings(
        backend=backend,
        max_batch_size=said.number("max_batch_size") or 1,
        max_num_tokens=said.number("max_num_tokens") or 1,
        max_seq_len=longest,
        fraction=float(fraction) if isinstance(fraction, (int, float)) else DEFAULT_FRACTION,
        max_tokens=cache.number("max_tokens"),
        max_bytes=cache.number("max_gpu_total_bytes") or 0,
        kv_dtype=str(cache.value("dtype", "auto")),
        state_dtype=str(cache.value("mamba_ssm_cache_dtype", "auto")),
        tokens_per_block=cache.number("tokens_per_block") or TOKENS_PER_BLOCK,
        graph_sizes=_graph_sizes(said, backend),
        # _autodeploy refuses every other kind of parallelism.
        tensor_parallel=said.number(
            "world_size" if backend == "_autodeploy" else "tensor_parallel_size"
        )
        or 1,
        pipeline_parallel=said.number("pipeline_parallel_size") or 1,
    )


def engine_keys(text: str | None, arguments: Mapping[str, object]) -> dict[str, object]:
    """Return everything that an engine is given by name: its YAML over its arguments."""
    value = parse_document(text, "").value if text else {}
    own = value if isinstance(value, Mapping) else {}
    return {**arguments, **{str(key): inner for key, inner in own.items()}}


@dataclass(frozen=True, slots=True)
class _Said:
    """YAML keys, and arguments for those that are not there."""

    keys: Mapping[str, object]
    arguments: Mapping[str, object]

    def value(self, key: str, default: object = None) -> object:
        value = self.keys.get(key)
        return default if value is None else value

    def number(self, key: str) -> int | None:
        value = self.value(key, self.arguments.get(key))
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def mapping(self, key: str) -> Mapping[str, object]:
        value = self.keys.get(key)
        return value if isinstance(value, Mapping) else {}


def _graph_sizes(said: _Said, backend: str) -> tuple[int, ...] | None:
    """Return the batch sizes that are named, none where graphs are off, None for the default."""
    if backend == "_autodeploy":
        if said.value("compile_backend", "torch-compile") in _WITHOUT_GRAPHS:
            return ()
        named = said.keys.get("cuda_graph_batch_sizes")
    else:
        if "cuda_graph_config" in said.keys and said.keys["cuda_graph_config"] is None:
            return ()
        named = said.mapping("cuda_graph_config").get("batch_sizes")
    if not isinstance(named, list):
        return None
    return tuple(n for n in named if isinstance(n, int) and n > 0)
