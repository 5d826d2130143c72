"""What the distribution would bring for what lacks."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package that would be installed."""

    name: str
    version: str = ""  # empty before the package lists were read


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A package that would help, that nothing waits for, and that cannot be had."""

    name: str
    why: str
    version: str = ""  # the distribution's, where it is one that would not help
    known: bool = False  # from an earlier install; apt was not asked again


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageFacts:
    """The distribution's answer to the question for ``wanted``."""

    manager: Literal["apt", "dnf", ""]  # empty = one that we do not know
    wanted: tuple[str, ...]
    brings: tuple[Package, ...] = ()  # all that is not here, dependencies too, in its order
    problem: str = ""  # why it cannot, in its own words
    lists_read: bool = True  # false = it does not know of any package yet
    architecture: str = ""  # as dpkg calls it
    debs: tuple[str, ...] = ()  # files that are to be installed instead of downloads
    left_out: tuple[LeftOut, ...] = ()  # not among ``wanted``
    hollow: tuple[str, ...] = ()  # installed for apt, and what they hold is not there

    @property
    def can_bring(self) -> bool:
        """Tell whether install may count on it."""
        return self.manager == "apt" and bool(self.wanted) and not self.problem
