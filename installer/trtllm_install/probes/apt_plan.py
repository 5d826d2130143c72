"""Reads the plan that apt-get prints before it would ask whether to go on.

Titled lists of "   NAME (VERSION)", of an upgrade "   NAME (OLD => NEW)", and one line of
totals (apt-private/private-output.cc, apt 2.6 and 3.0, with APT::Get::Show-Versions).
"""

import re
from typing import Final, NamedTuple

from trtllm_install.model.facts.packages import Package

_NEW: Final = "The following NEW packages will be installed:"
_CHANGED: Final = re.compile("The following packages will be (upgraded|DOWNGRADED|REMOVED):")
_LISTED: Final = re.compile(r" {3}(\S+?)\*? \((\S+)( => \S+)?\)")
_TOTALS: Final = re.compile(
    r"^(\d+) upgraded, (\d+) newly installed, (?:(\d+) downgraded, )?(\d+) to remove and \d+ not",
    re.MULTILINE,
)


class AptPlan(NamedTuple):
    """What apt would do."""

    brings: tuple[Package, ...]
    changes: tuple[str, ...]  # names of what would be upgraded, downgraded or removed


def parse_plan(said: str) -> AptPlan | None:
    """Return what the lists name; None where the totals are not those of the lists."""
    listed: dict[str, list[Package]] = {}
    title = ""
    for line in said.splitlines():
        if entry := _LISTED.fullmatch(line):
            listed.setdefault(title, []).append(Package(name=entry[1], version=entry[2]))
        else:
            title = line
    new = listed.get(_NEW, [])
    changed = [p.name for t, many in listed.items() if _CHANGED.fullmatch(t) for p in many]
    totals = _TOTALS.findall(said)
    if len(totals) != 1:
        return None
    upgraded, installed, downgraded, removed = (int(number or 0) for number in totals[0])
    if (len(new), len(changed)) != (installed, upgraded + downgraded + removed):
        return None
    return AptPlan(tuple(new), tuple(changed))
