"""Engine YAML files: what the site changes in them, and whether the engine would take them."""

from collections.abc import Mapping

import yaml

from trtllm_install.config.document import parse_document
from trtllm_install.model.contract import Contract
from trtllm_install.model.problems import Problem


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
    head = f"# {origin or 'empty'} with what site.yaml changes for {instance}. Edit those two.\n"
    return head + yaml.safe_dump(merged, sort_keys=False)


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
