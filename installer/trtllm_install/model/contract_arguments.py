"""The command line of ``trtllm-serve``: its options, and how click reads arguments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from trtllm_install.model.contract_values import Value, nearest

ArgumentFault = Literal[
    "unknown", "later", "missing_value", "flag_value", "invalid", "extra",
    "missing_model", "subcommand", "help", "forbidden",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of ``trtllm-serve serve``; the first of its names is the canonical one."""

    names: tuple[str, ...]
    value: Value
    default: object = None
    flag: bool = False
    multiple: bool = False
    must_exist: bool = False  # the path is looked at before anything else happens
    ignored: bool = False  # accepted, without effect
    unsure: bool = False  # may be absent from the wheel
    note: str = ""

    @property
    def key(self) -> str:
        """The name its value is found by: the canonical name without dashes."""
        return self.names[0][2:]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentProblem:
    """One argument that ``trtllm-serve`` would refuse or misread."""

    fault: ArgumentFault
    option: str = ""  # as it was written
    found: str = ""
    detail: str = ""  # nearest option, what is expected, or why

    def __str__(self) -> str:
        """Say what is wrong on one line."""
        found = f", found {self.found}" if self.found else ""
        meant = f" (did you mean {self.detail}?)" if self.detail else ""
        return {
            "unknown": f"unknown option {self.option}{meant}",
            "later": f"option {self.option} is not in this version: {self.detail}",
            "missing_value": f"option {self.option} needs a value{found}",
            "flag_value": f"option {self.option} takes no value, found {self.found!r}",
            "invalid": f"option {self.option} must be {self.detail}, found {self.found!r}",
            "extra": f"unexpected argument {self.found!r}",
            "missing_model": "no MODEL is given",
            "subcommand": f"subcommand {self.found} does not serve a model",
            "help": "--help prints the options and serves nothing",
            "forbidden": f"option {self.option} must be {self.detail} with _autodeploy{found}",
        }[self.fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedArguments:
    """Arguments as ``trtllm-serve`` reads them. ``values`` has every option, defaults included."""

    model: str
    values: Mapping[str, object]  # by canonical name without dashes
    given: frozenset[str]


class ArgumentsRefusedError(ValueError):
    """``trtllm-serve`` would refuse these arguments; ``problems`` says why."""

    def __init__(self, problems: Sequence[ArgumentProblem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """Subcommands and options of one version."""

    subcommands: tuple[str, ...]
    default_subcommand: str
    options: tuple[Option, ...]  # in the order of --help
    later_options: Mapping[str, str]  # name → why it is not here

    def find_option(self, name: str) -> Option | None:
        """Return the option that has this name, None if there is none."""
        return next((option for option in self.options if name in option.names), None)

    def read(self, arguments: Sequence[str]) -> "Reading":
        """Read arguments left to right, as click does, noting every problem, not the first only."""
        reading = Reading()
        rest = list(arguments)
        if rest and rest[0] in self.subcommands:
            if rest[0] != self.default_subcommand:
                reading.problems.append(ArgumentProblem(fault="subcommand", found=rest[0]))
                return reading
            rest.pop(0)
        while rest:
            argument = rest.pop(0)
            if argument == "--":
                reading.positional += rest
                break
            if len(argument) > 1 and argument.startswith("-"):
                self._read_option(reading, argument, rest)
            else:
                reading.positional.append(argument)
        reading.settle_model()
        return reading

    def parsed(self, reading: "Reading") -> ParsedArguments:
        """Fill in the defaults of everything that was not given."""
        defaults = {option.key: option.default for option in self.options}
        return ParsedArguments(
            model=reading.positional[0] if reading.positional else "",
            values={**defaults, **reading.values},
            given=frozenset(reading.values),
        )

    def _read_option(self, reading: "Reading", argument: str, rest: list[str]) -> None:
        name, equals, text = argument.partition("=")
        option = self.find_option(name)
        if option is None:
            reading.problems.append(self._unknown(name))
            if not equals and rest and not rest[0].startswith("-") and name != "--help":
                reading.after_unknown.append(rest.pop(0))
        elif option.flag:
            if equals:
                reading.problems.append(
                    ArgumentProblem(fault="flag_value", option=name, found=text)
                )
            reading.values[option.key] = True
        elif not equals and (not rest or self.find_option(rest[0].partition("=")[0])):
            follows = rest[0] if rest else ""
            reading.problems.append(
                ArgumentProblem(fault="missing_value", option=name, found=follows)
            )
        else:
            reading.take_value(option, name, text if equals else rest.pop(0))

    def _unknown(self, name: str) -> ArgumentProblem:
        if name == "--help":
            return ArgumentProblem(fault="help", option=name)
        plain = "--" + name.lstrip("-").replace("-", "_")
        if plain in self.later_options:
            return ArgumentProblem(fault="later", option=name, detail=self.later_options[plain])
        names = [known for option in self.options for known in option.names]
        return ArgumentProblem(fault="unknown", option=name, detail=nearest(name, names))


@dataclass(slots=True, kw_only=True)
class Reading:
    """Arguments on their way to being understood."""

    positional: list[str] = field(default_factory=list)
    after_unknown: list[str] = field(default_factory=list)  # an unknown option's value, or MODEL
    values: dict[str, object] = field(default_factory=dict)
    problems: list[ArgumentProblem] = field(default_factory=list)

    def take_value(self, option: Option, name: str, text: str) -> None:
        """Keep what was given to an option, or note why it does not fit."""
        try:
            value = option.value.convert(text)
        except ValueError:
            wanted = option.value.wanted
            self.problems.append(
                ArgumentProblem(fault="invalid", option=name, found=text, detail=wanted)
            )
            return
        if option.multiple:
            earlier = cast("list[object]", self.values.get(option.key, []))
            self.values[option.key] = [*earlier, value]
        else:
            self.values[option.key] = value

    def settle_model(self) -> None:
        """Decide which argument is MODEL, now that all are read."""
        candidates = self.positional or self.after_unknown
        if not candidates and not any(problem.fault == "help" for problem in self.problems):
            self.problems.append(ArgumentProblem(fault="missing_model"))
        self.problems += [
            ArgumentProblem(fault="extra", found=more) for more in self.positional[1:]
        ]
        self.positional = candidates[:1]
