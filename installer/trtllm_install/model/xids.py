"""What the common Xid errors mean, in our words after NVIDIA's catalogue of Xids.

https://docs.nvidia.com/deploy/xid-errors/analyzing-xid-catalog.html, read in November 2026.
An Xid is a hint and no verdict: where the driver names a recovery action, that one counts.
"""

from dataclasses import dataclass
from typing import Final, Literal

# Whose affair it is: the program's that ran, the GPU's, or nobody's (a note).
Weight = Literal["application", "fault", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class XidMeaning:
    """One code."""

    meaning: str
    weight: Weight
    remedy: str = ""


_RESET: Final = "sudo reboot (it resets the GPU; nothing of ours ever does)"
_RETURN: Final = "sudo reboot; if it comes back, have the GPU inspected"
_POWER: Final = "shut down, check power cables and seating of the card, then start again"
_LINKS: Final = (
    "nvidia-smi nvlink -s shows the links; sudo reboot, and if it comes back inspect them"
)


def _application(meaning: str) -> XidMeaning:
    return XidMeaning(meaning=meaning, weight="application")


def _fault(meaning: str, remedy: str = _RESET) -> XidMeaning:
    return XidMeaning(meaning=meaning, weight="fault", remedy=remedy)


def _note(meaning: str) -> XidMeaning:
    return XidMeaning(meaning=meaning, weight="note")


XIDS: Final[dict[int, XidMeaning]] = {
    8: _application("the GPU stopped processing a program's work"),
    13: _application("a program's kernel raised an exception (a bad address or instruction)"),
    31: _application("a program reached for memory that is not mapped"),
    32: _application("a program's command stream was corrupt"),
    43: _application("a program's work was ended after an error of its own"),
    44: _note("an error while switching between programs"),
    45: _application("a program's work was cleared away after an earlier error, or it was killed"),
    46: _fault("the GPU stopped processing and needs a reset"),
    48: _fault("memory had an error that ECC cannot correct", _RETURN),
    54: _fault("the card lacks its auxiliary power", _POWER),
    62: _fault("a micro-controller of the GPU halted"),
    63: _note("a bad memory row was marked to be replaced with the next reset"),
    64: _fault("a bad memory row could not be replaced", _RETURN),
    68: _application("a video decoder raised an exception"),
    69: _application("a program's commands were not understood"),
    74: _fault("an NVLink connection had an error", _LINKS),
    79: _fault("the GPU fell off the bus: power, cooling, seating or the card itself", _POWER),
    92: _note("ECC corrects many single-bit errors"),
    94: _application("a memory error was contained: only the program that met it was ended"),
    95: _fault("a memory error was not contained: every program on the GPU is in doubt"),
    109: _fault("switching between programs timed out"),
    110: _fault("the GPU raised a security fault"),
    119: _fault("the GPU's system processor (GSP) gave no answer"),
    120: _fault("the GPU's system processor (GSP) failed"),
    136: _fault("an NVLink connection could not be trained", _LINKS),
    140: _fault("memory had an error that ECC could not recover from", _RETURN),
    143: _fault("the GPU could not be initialised"),
    144: _fault("an NVLink connection had an error", _LINKS),
    145: _fault("an NVLink connection had an error", _LINKS),
    149: _fault("an NVLink connection had an error", _LINKS),
    150: _fault("an NVLink connection had an error", _LINKS),
    154: _note("the driver changed its mind about how the GPU is to be recovered"),
    155: _fault("an NVLink connection went down", _LINKS),
    156: _note("a part of the GPU was retired"),
    158: _fault("the GPU met a fatal time-out"),
    169: _fault("a micro-controller of the GPU halted"),
    171: _fault("memory (DRAM) had an error that ECC cannot correct", _RETURN),
    172: _fault("memory (SRAM) had an error that ECC cannot correct", _RETURN),
}
_UNLISTED: Final = XidMeaning(
    meaning="an error of the driver that is not in our list",
    weight="fault",
    remedy="look it up in NVIDIA's catalogue of Xids (docs.nvidia.com/deploy/xid-errors)",
)


def meaning_of(code: int) -> XidMeaning:
    """Return what a code means; one that is not listed counts as a fault."""
    return XIDS.get(code, _UNLISTED)
