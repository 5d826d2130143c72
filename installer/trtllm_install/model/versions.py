"""Versions as programs state them, and conditions on them."""

import re
from dataclasses import dataclass
from typing import Final

# 1.3.0rc2, 580.159.04, 1.31.9.1, 13.1, 2.9.1+cu130: numbers, and what PEP 440 calls a pre-release.
_VERSION: Final = re.compile(
    r"v?(\d+(?:\.\d+)*)(?:[.-]?(a|b|rc)\.?(\d+))?(?:\.(?:dev|post)\d+)?(?:[+~-]\S*)?"
)
_CONDITION: Final = re.compile(r"(<=|>=|==|<|>)\s*(\S+)")
_LONGEST: Final = 18  # digits of one number; a longer one is no version


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version to compare; zeros at the end do not count."""

    numbers: tuple[int, ...]
    before: tuple[int, int]  # kind and number of the pre-release; (3, 0) = it is none


def parse_version(text: str) -> Version | None:
    """Return the version at the beginning of ``text``, None where there is none.

    What follows a plus, tilde or dash is a build's own and is left out.
    """
    stated = _VERSION.fullmatch(text.strip())
    if stated is None:
        return None
    parts = stated[1].split(".")
    if any(len(part) > _LONGEST for part in (*parts, stated[3] or "")):
        return None
    numbers = [int(part) for part in parts]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    kind = ("a", "b", "rc").index(stated[2]) if stated[2] else len(("a", "b", "rc"))
    return Version(tuple(numbers), (kind, int(stated[3] or 0)))


def problem_in_condition(text: str) -> str | None:
    """Return why ``text`` is no condition such as ">=1.31.0, <1.31.9", None if it is one."""
    for part in text.split(","):
        stated = _CONDITION.fullmatch(part.strip())
        if stated is None:
            return f"{part.strip()!r} is not a comparison such as <1.3.0"
        if parse_version(stated[2]) is None:
            return f"{stated[2]!r} is not a version"
    return None


def meets(version: Version, condition: str) -> bool:
    """Tell whether a version meets every comparison of ``condition``, which has no problem."""
    return all(_meets(version, part.strip()) for part in condition.split(","))


def _meets(version: Version, comparison: str) -> bool:
    stated = _CONDITION.fullmatch(comparison)
    bound = parse_version(stated[2]) if stated else None
    if stated is None or bound is None:
        return False
    match stated[1]:
        case "<":
            return version < bound
        case "<=":
            return version <= bound
        case ">":
            return version > bound
        case ">=":
            return version >= bound
        case _:
            return version == bound
