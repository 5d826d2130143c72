"""Reads the errors that the NVIDIA driver wrote into the kernel's log since this boot."""

import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.gpu import Xid
from trtllm_install.model.facts.unknown import Unknown

TIME_LIMIT_S: Final = 3.0
_DMESG: Final = ("dmesg",)
_JOURNAL: Final = ("journalctl", "--dmesg", "--boot", "--output=cat", "--no-pager", "--quiet")
# NVRM: Xid (PCI:0000:65:00): 79, pid=1234, name=python3, GPU has fallen off the bus.
_XID: Final = re.compile(
    r"NVRM: Xid \((?:PCI:)?([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})(?:\.\d)?\): (\d+)(.*)",
    re.IGNORECASE,
)
_BEGINNING: Final = re.compile(r"\[\s*0\.0+\]")  # the ring buffer still holds the boot
_FIRST: Final = re.compile(r"Linux version |Booting Linux ")  # the kernel's first lines
_HEAD: Final = 4000  # characters
_LONGEST: Final = 200


def probe_xids(host: Host) -> tuple[Xid, ...] | Unknown:
    """Return the driver's errors of this boot, each code once for each GPU, in order.

    The kernel's ring buffer answers at once; the journal is asked only where the buffer
    has lost the beginning of the boot, and where it is closed to this user.
    """
    ring = _lines(host, _DMESG)
    if isinstance(ring, str) and _BEGINNING.search(ring[:2000]):
        return parse_xids(ring)
    journal = _lines(host, _JOURNAL)
    if isinstance(journal, str) and _FIRST.search(journal[:_HEAD]):
        return parse_xids(journal)
    # Half a log can tell of an error, and never that there was none.
    halves = "".join(text for text in (journal, ring) if isinstance(text, str))
    if found := parse_xids(halves):
        return found
    if isinstance(ring, Unknown) and not halves:
        return ring
    lost = "the kernel's ring buffer has lost the beginning of this boot"
    kept = isinstance(journal, str) and bool(journal)
    return Unknown(reason=f"{lost}, and the journal {'too' if kept else 'is not readable'}")


def parse_xids(log: str) -> tuple[Xid, ...]:
    """Return the errors in a kernel log; the last line of each code and GPU is kept."""
    found: dict[tuple[str, int], Xid] = {}
    for domain, bus, device, code, text in _XID.findall(log):
        pci = f"{domain[-4:]}:{bus}:{device}".lower()
        before = found.get((pci, int(code)))
        found[pci, int(code)] = Xid(
            code=int(code),
            pci=pci,
            text=text.strip(" ,")[:_LONGEST],
            count=before.count + 1 if before else 1,
        )
    return tuple(found.values())


def _lines(host: Host, argv: tuple[str, ...]) -> str | Unknown:
    if host.which(argv[0]) is None:
        return Unknown(reason=f"there is no {argv[0]}")
    try:
        ended = host.run(argv, timeout=TIME_LIMIT_S)
    except HostError as error:
        return Unknown(reason=error.message)
    if ended.code:
        last = (ended.stderr.strip().splitlines() or ["no output"])[-1]
        return Unknown(reason=f"{argv[0]} ended with {ended.code}: {last[:_LONGEST]}")
    return ended.stdout
