"""Starts for people: a bar for each service, its phases below, and the values for JSON."""

from collections.abc import Sequence

from trtllm_install.cli.moment import moment
from trtllm_install.model import phases
from trtllm_install.model.timeline import Start

_WIDTH = 60
_LETTERS = {
    phases.BACKOFF: "b",
    phases.WAITING: ".",
    phases.ADMISSION: "a",
    phases.START: "s",
    phases.WEIGHTS: "W",
    phases.COMPILE: "C",
    phases.WARM_UP: "U",
    phases.GATE: "g",
}
_GB = 1e9
_MOST = 0.98  # of the weights: the rest is rounding


def timeline_lines(starts: Sequence[Start]) -> list[str]:
    """Return the text: a scale, and for each start a bar and its phases."""
    span = max(start.offset_s + start.length_s for start in starts) or 1.0
    wide = max(len(start.name) for start in starts)
    lines = [f"{'':<{wide}}  0 s{f'{span:.1f} s':>{_WIDTH - 3}}"]
    lines += [f"{start.name:<{wide}}  {_bar(start, span)}" for start in starts]
    for start in starts:
        lines += ["", f"{start.name}: {outcome_words(start)}"]
        lines += [
            f"  {phase:<10}{seconds:>8.1f} s  {_beside(start, phase)}".rstrip()
            for phase in phases.MEANING
            if (seconds := start.seconds_of(phase)) or phase in {s.phase for s in start.spans}
        ]
    return lines


def outcome_words(start: Start) -> str:
    """Return what a start came to, in one line."""
    if start.outcome == "ready":
        rate = f"; {weights_words(start)}" if start.weights_rate else ""
        return f"ready after {start.length_s:.1f} s{rate}"
    if start.outcome == "failed":
        return f"failed after {start.length_s:.1f} s (exit {start.exit_code}: {start.exit_reason})"
    return f"unfinished: last seen after {start.length_s:.1f} s"


def weights_words(start: Start) -> str:
    """Return "18.1 GB of weights at 0.85 GB/s, from disk"; empty where nothing was measured."""
    rate = start.weights_rate
    if rate is None:
        return ""
    read = min(start.weights_bytes, start.bytes_read)
    ahead = f", {start.preread_bytes / _GB:.1f} GB read ahead" if start.preread_bytes else ""
    if start.from_disk >= _MOST:
        source = "from disk"
    elif start.from_disk <= 1 - _MOST:
        source = "from the page cache"
    else:
        source = f"{start.from_disk:.0%} from disk"
    return f"{read / _GB:.1f} GB of weights at {rate / _GB:.2f} GB/s, {source}{ahead}"


def timeline_values(starts: Sequence[Start]) -> list[dict[str, object]]:
    """Return the starts for JSON."""
    return [
        {
            "name": start.name,
            "started": moment(start.started_at),
            "offset_s": round(start.offset_s, 3),
            "attempt": start.attempt,
            "outcome": start.outcome,
            "seconds": round(start.length_s, 3),
            "exit_code": start.exit_code,
            "exit_reason": start.exit_reason,
            "phases": [
                {"phase": s.phase, "from_s": s.begin, "seconds": round(s.end - s.begin, 3)}
                for s in start.spans
            ],
            "weights_bytes": start.weights_bytes,
            "bytes_read": start.bytes_read,
            "disk_bytes": start.disk_bytes,
            "preread_bytes": start.preread_bytes,
            "weights_bytes_per_s": start.weights_rate and round(start.weights_rate),
        }
        for start in starts
    ]


def _bar(start: Start, span: float) -> str:
    cells = [" "] * _WIDTH
    for part in start.spans:
        begin = int((start.offset_s + part.begin) / span * _WIDTH)
        end = int((start.offset_s + part.end) / span * _WIDTH)
        for cell in range(begin, min(max(end, begin + 1), _WIDTH)):
            cells[cell] = _LETTERS[part.phase]
    return "".join(cells).rstrip()


def _beside(start: Start, phase: str) -> str:
    if phase == phases.WEIGHTS:
        return weights_words(start)
    return f"{_LETTERS[phase]}  {phases.MEANING[phase]}"
