"""What one option or one engine configuration key may hold."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["str", "path", "int", "float", "bool", "dict", "list", "any"]
Fault = Literal["empty", "not_mapping", "unknown", "foreign", "removed", "invalid", "forbidden"]

_TRUE = frozenset({"true", "yes", "on", "y", "t", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "f", "0"})
_WORDS: Mapping[str, str] = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "list": "a list",
    "any": "any value",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One thing the engine would refuse in its configuration file."""

    fault: Fault
    path: str  # dotted, for example "kv_cache_config.max_tokens"; empty for the whole file
    found: object = None
    detail: str = ""  # what is expected, or the nearest valid key, or what replaced it

    def __str__(self) -> str:
        """Say path and cause on one line, to be pasted after ``cannot use FILE:``."""
        return f"{self.path}: {self.cause}" if self.path else self.cause

    @property
    def cause(self) -> str:
        """Say what is wrong, for a place that names the path already."""
        if self.fault == "unknown":
            return "unknown key" + (f"; did you mean {self.detail}?" if self.detail else "")
        if self.fault == "foreign":
            return f"known to backend {self.detail} only"
        if self.fault == "removed":
            instead = f"use {self.detail}" if self.detail else "nothing replaces it"
            return f"removed from this version; {instead}"
        if self.fault in ("empty", "not_mapping"):
            return self.detail
        return f"must be {self.detail}, found {self.found!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A kind with its limits. ``keys`` or ``items`` say what lies inside a mapping or list."""

    kind: Kind
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()  # choices seen in neighbouring versions only
    spellings: Mapping[str, str] | None = None  # other ways to write a choice
    items: "Value | None" = None
    keys: "Mapping[str, Value] | None" = None

    @property
    def wanted(self) -> str:
        """What is expected, in words: ``a whole number of at least 1``."""
        if self.choices:
            text = "one of " + ", ".join(self.choices)
        else:
            text = _WORDS[self.kind]
            if self.minimum is not None and self.maximum is not None:
                text += f" from {self.minimum:g} to {self.maximum:g}"
            elif self.minimum is not None:
                text += f" of at least {self.minimum:g}"
        return text + (" or null" if self.nullable else "")

    def convert(self, found: object) -> object:
        """Return ``found`` as the engine would read it; ValueError if it would refuse it.

        Quoted numbers are numbers, as pydantic has them outside its strict mode. A boolean
        is not taken for a number although pydantic takes it: nobody means it.
        """
        if found is None:
            if self.nullable:
                return None
            raise ValueError(self.wanted)
        value = _CONVERTERS[self.kind](found)
        if self.spellings and isinstance(value, str):
            value = self.spellings.get(value, value)
        if self.choices and value not in (*self.choices, *self.unverified):
            raise ValueError(self.wanted)
        if isinstance(value, (int, float)) and not self._admits(value):
            raise ValueError(self.wanted)
        return value

    def _admits(self, number: float) -> bool:
        low = self.minimum is None or number >= self.minimum
        return low and (self.maximum is None or number <= self.maximum)

    def problems(self, path: str, found: object) -> Iterator[ConfigProblem]:
        """Yield everything wrong with ``found`` and with what lies inside it."""
        try:
            value = self.convert(found)
        except ValueError:
            yield ConfigProblem(fault="invalid", path=path, found=found, detail=self.wanted)
            return
        if self.keys is not None and isinstance(value, Mapping):
            yield from key_problems(self.keys, path, value)
        elif self.items is not None and isinstance(value, Mapping):
            for key, member in value.items():
                yield from self.items.problems(f"{path}.{key}", member)
        elif self.items is not None and isinstance(value, (list, tuple)):
            for index, member in enumerate(value):
                yield from self.items.problems(f"{path}[{index}]", member)


def key_problems(
    keys: Mapping[str, Value], path: str, found: Mapping[object, object]
) -> Iterator[ConfigProblem]:
    """Yield what is wrong in a mapping whose keys are all known (unknown ones are refused)."""
    prefix = f"{path}." if path else ""
    for key, member in found.items():
        known = keys.get(key) if isinstance(key, str) else None
        if known is None:
            near = nearest(str(key), keys)
            detail = prefix + near if near else ""
            yield ConfigProblem(fault="unknown", path=f"{prefix}{key}", found=member, detail=detail)
        else:
            yield from known.problems(f"{prefix}{key}", member)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name that looks most like ``name``, empty if none is near."""
    close = difflib.get_close_matches(name, list(valid), n=1)
    return close[0] if close else ""


def _text(found: object) -> str:
    if isinstance(found, str):
        return found
    raise ValueError(_WORDS["str"])


def _whole(found: object) -> int:
    if isinstance(found, bool):
        raise ValueError(_WORDS["int"])  # noqa: TRY004 (a value that does not fit, not a bug)
    if isinstance(found, int):
        return found
    if isinstance(found, float) and found.is_integer():
        return int(found)
    if isinstance(found, str):
        return int(found)
    raise ValueError(_WORDS["int"])


def _number(found: object) -> float:
    if isinstance(found, bool) or not isinstance(found, (int, float, str)):
        raise ValueError(_WORDS["float"])  # noqa: TRY004 (a value that does not fit, not a bug)
    number = float(found)
    if number != number:  # noqa: PLR0124 (only NaN differs from itself)
        raise ValueError(_WORDS["float"])
    return number


def _truth(found: object) -> bool:
    word = str(found).lower() if isinstance(found, (bool, int, str)) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(_WORDS["bool"])


def _mapping(found: object) -> Mapping[object, object]:
    if isinstance(found, Mapping):
        return found
    raise ValueError(_WORDS["dict"])


def _list(found: object) -> list[object]:
    if isinstance(found, (list, tuple)):
        return list(found)
    raise ValueError(_WORDS["list"])


def _any(found: object) -> object:
    return found


_CONVERTERS = {
    "str": _text,
    "path": _text,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "dict": _mapping,
    "list": _list,
    "any": _any,
}
