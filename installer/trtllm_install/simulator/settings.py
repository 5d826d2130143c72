"""Reads the engine configuration, and refuses what the real engine refuses."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from trtllm_install.model.contract import Contract
from trtllm_install.model.contract_arguments import ParsedArguments
from trtllm_install.model.contract_values import ConfigProblem


class StartError(Exception):
    """The server cannot start; it prints the text and exits 1."""


def read_engine_config(contract: Contract, arguments: ParsedArguments) -> Mapping[str, object]:
    """Return the keys of ``--config``; none without one. StartError as the real one fails."""
    problems = contract.autodeploy_problems(arguments)
    if problems:
        named = ", ".join(problem.option for problem in problems)
        raise StartError(
            f"ValueError: AutoDeploy only supports parallelization via world_size; found {named}"
        )
    path = arguments.values["config"]
    if path is None:
        return {}
    try:
        config = yaml.safe_load(Path(str(path)).read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        kind = type(error)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        raise StartError(f"{module}{kind.__name__}: {error}") from error
    found = contract.config_problems(str(arguments.values["backend"]), config)
    if found:
        raise StartError(_validation_text(str(arguments.values["backend"]), found))
    if not isinstance(config, dict):  # a backend whose keys are not known: still a mapping
        raise StartError(f"TypeError: {path} does not hold a mapping")
    return config


def _validation_text(backend: str, problems: tuple[ConfigProblem, ...]) -> str:
    """Return the problems in the form of a pydantic ValidationError."""
    if problems[0].fault in ("empty", "not_mapping"):
        return f"TypeError: the engine configuration is not a mapping: {problems[0]}"
    model = "LlmArgs" if backend == "_autodeploy" else "TorchLlmArgs"
    plural = "s" if len(problems) > 1 else ""
    lines = [f"pydantic_core.ValidationError: {len(problems)} validation error{plural} for {model}"]
    for problem in problems:
        shown = f"input_value={problem.found!r}, input_type={type(problem.found).__name__}"
        if problem.fault in ("unknown", "foreign", "removed"):
            cause = f"Extra inputs are not permitted [type=extra_forbidden, {shown}]"
        else:
            cause = f"Input should be {problem.detail} [type=value_error, {shown}]"
        lines += [problem.path, f"  {cause}"]
    return "\n".join(lines)
