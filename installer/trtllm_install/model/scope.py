"""Which checks a run makes: all of them, or those that ``--only`` names with their causes."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from trtllm_install.model.catalogue import AREA_OF, AREAS, CATALOGUE
from trtllm_install.model.errors import ConfigError

# Fields of Facts that the findings of an area are made from.
EVERY_PART: Final = frozenset(
    {
        *("gpu", "platform", "weights", "ports", "proxy", "supervisor", "engine", "system"),
        *("host", "removed", "peers", "keys", "tls"),
    }
)
_PARTS: Final[dict[str, Iterable[str]]] = {
    "reading": EVERY_PART,
    "gpu": ("gpu", "platform", "weights", "system"),
    "weights": ("weights",),
    "memory": ("gpu", "weights", "system"),
    "network": ("ports", "peers", "keys", "tls"),
    "programs": ("proxy", "supervisor", "engine", "system", "host"),
    "system": ("system", "host", "weights", "removed"),
    "advisories": ("gpu", "weights", "proxy", "system"),
}
_SMOKE: Final = frozenset(code for code in CATALOGUE if code.startswith("cuda-s"))
_DEEP: Final = frozenset({"weights-hash-differs", "weights-changed"})
# Said of an engine while it is built, by `engine add`.
_BUILDING: Final = frozenset(
    {"engine-python-untried", "engine-torch-differs", "engine-silent", "engine-options-differ"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The checks of one run, as codes of the catalogue, in its order."""

    asked: tuple[str, ...] | None = None  # None = no choice was made
    made: tuple[str, ...]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the checks that this run says nothing about."""
        return tuple(code for code in CATALOGUE if code not in self.made)

    @property
    def parts(self) -> frozenset[str]:
        """Return the fields of Facts that have to be read."""
        if self.asked is None:
            return EVERY_PART
        wanted = {AREA_OF[code] for code in self.made} - {"reading"}
        wanted |= {"reading"} & {AREA_OF[code] for code in self.asked}
        return frozenset(part for area in wanted for part in _PARTS[area])

    @property
    def smoke(self) -> bool:
        """Tell whether CUDA has to be tried for what was asked."""
        return bool(_SMOKE & set(self.asked or ()))


def parse_scope(words: Iterable[str], *, smoke: bool, deep: bool) -> Scope:
    """Return the checks that ``--only`` names, by code or by area; without words, all.

    What a check depends on is made as well, and so is what tells that something could not
    be read. Raises ConfigError for a word that is neither, naming what is near, and for a
    check that this run cannot make.
    """
    names = [name.strip() for word in words for name in word.split(",")]
    asked = tuple(code for code in CATALOGUE if code in _named(names))
    possible = set(CATALOGUE) - _BUILDING
    if not names:
        possible -= frozenset() if smoke else _SMOKE
        possible -= frozenset() if deep else _DEEP
        return Scope(made=tuple(code for code in CATALOGUE if code in possible))
    direct = set(asked) & set(names)
    if refused := direct & _BUILDING:
        raise ConfigError(
            f"cannot check {min(refused)}: it is said of an engine while it is built",
            hint="sudo trtllm-install engine add VERSION",
        )
    if not deep and (refused := direct & _DEEP):
        raise ConfigError(
            f"cannot check {min(refused)}: it reads every byte of the weights",
            hint=f"trtllm-install check --deep --only {min(refused)}",
        )
    possible -= frozenset() if deep else _DEEP
    possible -= frozenset() if smoke or direct & _SMOKE else _SMOKE
    asked = tuple(code for code in asked if code in possible)
    wanted = _with_causes(asked) | set(AREAS["reading"])
    return Scope(asked=asked, made=tuple(code for code in CATALOGUE if code in wanted))


def _named(names: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        if name in AREAS:
            found.update(AREAS[name])
        elif name in CATALOGUE:
            found.add(name)
        else:
            known = [*AREAS, *CATALOGUE]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            said = ", ".join(near) if near else f"the areas are {', '.join(AREAS)}"
            raise ConfigError(
                f"cannot check {name or 'nothing'}: no such code or area, near is {said}"
                if near
                else f"cannot check {name or 'nothing'}: no such code or area; {said}",
                hint=f"trtllm-install check --only {near[0] if near else 'gpu'}",
            )
    return found


def _with_causes(codes: Iterable[str]) -> set[str]:
    """Return codes and everything that can mute them, however far away."""
    found: set[str] = set()
    todo = list(codes)
    while todo:
        code = todo.pop()
        if code not in found:
            found.add(code)
            todo += CATALOGUE[code].depends_on
    return found
