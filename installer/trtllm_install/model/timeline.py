"""Starts as their launchers recorded them (docs/reference/launcher.md), phase by phase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from trtllm_install.model import phases

_MOST = 1e18  # of bytes and seconds: more is not a measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One phase, in seconds after the start."""

    phase: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of one service; seconds are those of a clock that nobody sets."""

    name: str
    started_at: float  # unix seconds
    boot: str
    clock: float  # the kernel's monotonic clock at the start
    attempt: int
    spans: tuple[Span, ...]
    ready_s: float | None
    exit_code: int | None  # of a start that did not become ready
    exit_reason: str
    weights_bytes: int
    bytes_read: int
    disk_bytes: int
    preread_bytes: int
    offset_s: float = 0.0  # after the first of those it is shown beside

    @property
    def length_s(self) -> float:
        """From the launcher's first moment to READY, its end, or the last that is known of it."""
        return self.spans[-1].end if self.spans else 0.0

    @property
    def outcome(self) -> str:
        """What the start came to: "ready", "failed", or "unfinished" where nobody wrote it down."""
        if self.ready_s is not None:
            return "ready"
        return "unfinished" if self.exit_code is None else "failed"

    def seconds_of(self, phase: str) -> float:
        """Return how long a phase took, all of its turns together."""
        return sum(span.end - span.begin for span in self.spans if span.phase == phase)

    @property
    def weights_rate(self) -> float | None:
        """Bytes of weights a second, None where that was not measured."""
        taken = self.seconds_of(phases.WEIGHTS)
        read = min(self.weights_bytes, self.bytes_read)
        return read / taken if taken and read else None

    @property
    def from_disk(self) -> float:
        """The share of the weights that was not in the page cache, 0 to 1."""
        return min(1.0, self.disk_bytes / self.weights_bytes) if self.weights_bytes else 0.0


def parse_starts(name: str, content: object) -> tuple[Start, ...]:
    """Return the starts in a ``timeline.json``, oldest first; one that is damaged is left out."""
    listed = content.get("starts") if isinstance(content, Mapping) else None
    entries = listed if isinstance(listed, list) else ()
    return tuple(start for entry in entries if (start := _whole_start(name, entry)))


def side_by_side(starts: Sequence[Start]) -> tuple[Start, ...]:
    """Return starts with their offsets: by the clock of one boot, else by that on the wall."""
    if not starts:
        return ()
    one_boot = len({start.boot for start in starts}) == 1
    moments = [start.clock if one_boot else start.started_at for start in starts]
    return tuple(
        replace(start, offset_s=moment - min(moments))
        for start, moment in zip(starts, moments, strict=True)
    )


def _whole_start(name: str, entry: Mapping[str, object]) -> Start | None:
    try:
        return _parse_start(name, entry)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _parse_start(name: str, entry: Mapping[str, object]) -> Start:
    ended = entry["exit"]
    ready = None if entry["ready_s"] is None else _number(entry["ready_s"])
    return Start(
        name=name,
        started_at=_number(entry["started_at"]),
        boot=str(entry["boot"]),
        clock=_number(entry["clock"]),
        attempt=int(_number(entry["attempt"])),
        spans=_parse_spans(entry["phases"], ready or _number(entry["seen_s"])),
        ready_s=ready,
        exit_code=int(_number(ended["code"])) if isinstance(ended, Mapping) else None,
        exit_reason=str(ended["reason"]) if isinstance(ended, Mapping) else "",
        weights_bytes=int(_number(entry["weights_bytes"])),
        bytes_read=int(_number(entry["bytes_read"])),
        disk_bytes=int(_number(entry["disk_bytes"])),
        preread_bytes=int(_number(entry["preread_bytes"])),
    )


def _parse_spans(listed: object, end: float) -> tuple[Span, ...]:
    begins = [
        (str(phase["phase"]), _number(phase["from_s"]))
        for phase in (listed if isinstance(listed, list) else ())
        if phase["phase"] in phases.MEANING
    ]
    ends = [*(begin for _, begin in begins[1:]), end]
    return tuple(
        Span(phase=phase, begin=begin, end=max(begin, until))
        for (phase, begin), until in zip(begins, ends, strict=True)
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        raise ValueError(f"expected a number, found {value!r}")
    return value
