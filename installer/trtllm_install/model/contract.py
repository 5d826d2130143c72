"""The contract of one engine version: what ``trtllm-serve`` accepts, and what it refuses.

The facts lie in ``configs/contract/<version>.json``. They were read from NVIDIA's public
source, so `Contract.differences_from_help` compares them with the engine that is installed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from trtllm_install.model.contract_arguments import (
    ArgumentProblem,
    ArgumentsRefusedError,
    CommandLine,
    Option,
    ParsedArguments,
)
from trtllm_install.model.contract_values import ConfigProblem, Kind, Value, key_problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What one version of ``trtllm-serve`` accepts."""

    version: str
    source: str
    command: CommandLine
    config_keys: Mapping[str, Mapping[str, Value]]  # backend → key → what it may hold
    autodeploy_fixed: Mapping[str, object]  # keys that must keep this value with _autodeploy
    removed_keys: Mapping[str, str]  # dotted path → what replaced it, empty if nothing did
    routes: tuple[tuple[str, str], ...]  # (method, path)

    @property
    def options(self) -> tuple[Option, ...]:
        """Every option, in the order of --help."""
        return self.command.options

    def problems_in_arguments(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Return every reason why these arguments would not serve; empty when they do.

        ``arguments`` is everything after ``trtllm-serve``: optionally ``serve``, MODEL, options.
        """
        reading = self.command.read(arguments)
        fixed = self.autodeploy_problems(self.command.parsed(reading))
        return tuple(str(problem) for problem in (*reading.problems, *fixed))

    def parse_arguments(self, arguments: Sequence[str]) -> ParsedArguments:
        """Read arguments as click does; raise ArgumentsRefusedError with every problem.

        What only the engine behind click refuses (`autodeploy_problems`) is not looked at.
        """
        reading = self.command.read(arguments)
        if reading.problems:
            raise ArgumentsRefusedError(reading.problems)
        return self.command.parsed(reading)

    def autodeploy_problems(self, arguments: ParsedArguments) -> tuple[ArgumentProblem, ...]:
        """Return the options that _autodeploy refuses to see changed."""
        if arguments.values["backend"] != "_autodeploy":
            return ()
        return tuple(
            ArgumentProblem(
                fault="forbidden",
                option=option.names[0],
                found=str(arguments.values[option.key]),
                detail=_word(self.autodeploy_fixed[option.key]),
            )
            for option in self.options
            if option.key in self.autodeploy_fixed and not option.ignored
            if arguments.values[option.key] != self.autodeploy_fixed[option.key]
        )

    def config_problems(self, backend: str, config: object) -> tuple[ConfigProblem, ...]:
        """Return every reason why the engine would refuse this parsed YAML file.

        Keys of a backend that is not in ``config_keys`` are not judged.
        """
        if config is None:
            return (
                ConfigProblem(
                    fault="empty", path="", detail="the file is empty: write {} for no keys"
                ),
            )
        if not isinstance(config, Mapping):
            detail = f"the file must hold a mapping of keys, found {type(config).__name__}"
            return (ConfigProblem(fault="not_mapping", path="", found=config, detail=detail),)
        keys = self.config_keys.get(backend)
        if keys is None:
            return ()
        problems = [_explained(self, problem) for problem in key_problems(keys, "", config)]
        problems += _removed_inside(self, keys, config)
        if backend == "_autodeploy":
            problems += [
                ConfigProblem(
                    fault="forbidden", path=key, found=config[key], detail=_fixed_words(key, wanted)
                )
                for key, wanted in self.autodeploy_fixed.items()
                if key in config and config[key] != wanted
            ]
        return tuple(problems)

    def differences_from_help(self, help_text: str) -> tuple[str, ...]:
        """Return how the ``serve --help`` of an installed engine differs from this contract.

        An option marked unsure may be absent without being a difference.
        """
        shown = set(re.findall(r"^\s+(--\w+)", help_text, re.MULTILINE))
        shown |= set(re.findall(r"(?<=, )--\w+", help_text))
        known = {name for option in self.options for name in option.names}
        sure = {name for option in self.options if not option.unsure for name in option.names}
        missing = [f"option {name} is not in the engine" for name in sorted(sure - shown)]
        return (*missing, *(f"option {name} is new" for name in sorted(shown - known - {"--help"})))


def _explained(contract: Contract, problem: ConfigProblem) -> ConfigProblem:
    if problem.fault == "unknown" and problem.path in contract.removed_keys:
        detail = contract.removed_keys[problem.path]
        return ConfigProblem(fault="removed", path=problem.path, found=problem.found, detail=detail)
    others = [backend for backend, keys in contract.config_keys.items() if problem.path in keys]
    if problem.fault == "unknown" and others:
        detail = " and ".join(others)
        return ConfigProblem(fault="foreign", path=problem.path, found=problem.found, detail=detail)
    return problem


def _removed_inside(
    contract: Contract, keys: Mapping[str, Value], config: Mapping[object, object]
) -> list[ConfigProblem]:
    """Find removed keys deep inside mappings whose own keys the contract does not know."""
    problems = []
    for path, replacement in contract.removed_keys.items():
        *parents, last = path.split(".")
        inside: object = config if parents and parents[0] in keys else None
        for parent in parents:
            inside = inside.get(parent) if isinstance(inside, Mapping) else None
        if isinstance(inside, Mapping) and last in inside:
            found = inside[last]
            problems.append(
                ConfigProblem(fault="removed", path=path, found=found, detail=replacement)
            )
    return problems


def _fixed_words(key: str, wanted: object) -> str:
    instead = " (world_size is its only parallelism)" if "parallel" in key else ""
    return f"{_word(wanted)} with _autodeploy{instead}"


def _word(wanted: object) -> str:
    if wanted is None:
        return "left out"
    return str(wanted).lower() if isinstance(wanted, bool) else str(wanted)


# parsing the document ----------------------------------------------------------


def parse_contract(document: Mapping[str, object]) -> Contract:
    """Return the contract that a parsed ``configs/contract/<version>.json`` holds.

    Raises KeyError or TypeError when the document lacks a part: it is shipped with us,
    so that is a bug and not a finding.
    """
    subcommands = _table(document["subcommands"])
    engine = _table(document["engine_config"])
    tables = _table(engine["keys"])
    http = _table(document["http"])
    return Contract(
        version=str(document["version"]),
        source=str(document["source"]),
        command=CommandLine(
            subcommands=_texts(subcommands["names"]),
            default_subcommand=str(subcommands["default"]),
            options=tuple(
                _option(name, _table(raw)) for name, raw in _table(document["options"]).items()
            ),
            later_options={
                name: str(why) for name, why in _table(document["later_options"]).items()
            },
        ),
        config_keys={
            backend: {
                key: value
                for part in _texts(parts)
                for key, value in _keys(_table(tables[part]), tables).items()
            }
            for backend, parts in _table(engine["backends"]).items()
        },
        autodeploy_fixed=_table(engine["autodeploy_fixed"]),
        removed_keys={path: str(new or "") for path, new in _table(engine["removed"]).items()},
        routes=tuple(
            (str(_table(route)["method"]), str(_table(route)["path"]))
            for route in cast("Sequence[object]", http["routes"])
        ),
    )


def _option(name: str, raw: Mapping[str, object]) -> Option:
    return Option(
        names=(name, *_texts(raw.get("aliases", ()))),
        value=_value(raw, {}),
        default=raw["default"],
        flag=bool(raw.get("flag")),
        multiple=bool(raw.get("multiple")),
        must_exist=bool(raw.get("must_exist")),
        ignored=bool(raw.get("ignored")),
        unsure=bool(raw.get("unsure")),
        note=str(raw.get("note", "")),
    )


def _value(raw: Mapping[str, object], tables: Mapping[str, object]) -> Value:
    return Value(
        kind=cast("Kind", raw["type"]),
        nullable=bool(raw.get("null")),
        minimum=cast("float | None", raw.get("minimum")),
        maximum=cast("float | None", raw.get("maximum")),
        choices=_texts(raw.get("choices", ())),
        unverified=_texts(raw.get("unverified", ())),
        spellings=cast("Mapping[str, str] | None", raw.get("spellings")),
        items=_value(_table(raw["items"]), tables) if "items" in raw else None,
        keys=_keys(_table(tables[str(raw["keys"])]), tables) if "keys" in raw else None,
    )


def _keys(table: Mapping[str, object], tables: Mapping[str, object]) -> dict[str, Value]:
    return {key: _value(_table(raw), tables) for key, raw in table.items()}


def _table(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, Mapping):
        raise TypeError(f"a mapping is expected in the contract, found {raw!r}")
    return cast("Mapping[str, object]", raw)


def _texts(raw: object) -> tuple[str, ...]:
    return tuple(str(text) for text in cast("Sequence[object]", raw))
