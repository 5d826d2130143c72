"""What the command line answers, in the form of click, which the real one is built with."""

from collections.abc import Sequence

from trtllm_install.model.contract import Contract
from trtllm_install.model.contract_arguments import ArgumentFault, ArgumentProblem, Option
from trtllm_install.model.contract_values import Value

USAGE = "Usage: trtllm-serve serve [OPTIONS] MODEL"

_TYPES = {"int": "INTEGER", "float": "FLOAT", "path": "PATH"}
_BAD_TYPES = {"int": "integer", "float": "float"}
# click parses first and converts afterwards: the first of the earlier kinds is what it shows.
_ORDER: tuple[tuple[ArgumentFault, ...], ...] = (
    ("subcommand",),
    ("unknown", "later", "missing_value", "flag_value"),
    ("help",),
    ("invalid", "missing_model"),
    ("extra",),
)


def first_problem(problems: Sequence[ArgumentProblem]) -> ArgumentProblem | None:
    """Return the problem that click would stop at; None when there is none."""
    for kinds in _ORDER:
        for problem in problems:
            if problem.fault in kinds:
                return problem
    return None


def render_refusal(contract: Contract, problem: ArgumentProblem) -> str:
    """Return what click prints before it exits with 2."""
    hint = "Try 'trtllm-serve serve --help' for help."
    return f"{USAGE}\n{hint}\n\nError: {_cause(contract, problem)}\n"


def render_help(contract: Contract) -> str:
    """Return the text of ``--help``, one line per option, marked as simulated."""
    rows = [(_left(option), _right(option)) for option in contract.options]
    rows.append(("--help", "Show this message and exit."))
    width = max(len(left) for left, _ in rows) + 2
    lines = [f"  {left:<{width}}{right}".rstrip() for left, right in rows]
    about = f"  Simulated stand-in for TensorRT-LLM {contract.version}: no model, no GPU."
    return "\n".join([USAGE, "", about, "", "Options:", *lines, ""])


def render_version_line(contract: Contract) -> str:
    """Return the first line of the log."""
    return f"simulated trtllm-serve, contract {contract.version}: no model and no GPU behind it"


def _cause(contract: Contract, problem: ArgumentProblem) -> str:
    option = contract.command.find_option(problem.option)
    shown = " / ".join(f"'{name}'" for name in option.names) if option else ""
    if problem.fault == "unknown" and problem.detail:
        return f"No such option: {problem.option} Did you mean {problem.detail}?"
    if problem.fault == "invalid" and option:
        return f"Invalid value for {shown}: {_bad_value(option.value, problem.found)}"
    return {
        "missing_value": f"Option '{problem.option}' requires an argument.",
        "flag_value": f"Option '{problem.option}' does not take a value.",
        "missing_model": "Missing argument 'MODEL'.",
        "extra": f"Got unexpected extra argument ({problem.found})",
        "subcommand": f"{problem.found} is not simulated: only serve is.",
    }.get(problem.fault, f"No such option: {problem.option}")


def _bad_value(value: Value, found: str) -> str:
    if value.choices:
        return f"'{found}' is not one of {', '.join(repr(choice) for choice in value.choices)}."
    try:
        float(found)
    except ValueError:
        return f"'{found}' is not a valid {_BAD_TYPES.get(value.kind, value.kind)}."
    return f"{found} must be {value.wanted}."


def _left(option: Option) -> str:
    names = ", ".join(option.names)
    if option.flag:
        return names
    if option.value.choices:
        return f"{names} [{'|'.join(option.value.choices)}]"
    return f"{names} {_TYPES.get(option.value.kind, 'TEXT')}"


def _right(option: Option) -> str:
    default = "" if option.default in (None, False, []) else f"[default: {option.default}]"
    return "  ".join(part for part in (option.note, default) if part)
