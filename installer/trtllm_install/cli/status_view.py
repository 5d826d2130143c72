"""The table of ``status``: the same cells for a terminal, for a pipe and for the live screen."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from trtllm_install.app.overview import GpuUse, Overview
from trtllm_install.app.reporter import Live
from trtllm_install.model.clientkeys import ADD_ONE, NOBODY
from trtllm_install.model.states import SERVING
from trtllm_install.proxy.traffic import Traffic

HEADS = (
    *("SERVICE", "STATE", "FOR", "PORT", "GPU MEM"),
    *("IN FLIGHT", "TOK/S", "FIRST TOKEN", "RESTARTS"),
)
UNKNOWN = "?"
_GIB = 2**30
_STEPS = ((86400, "d"), (3600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True)
class Row:
    """One service: its cells, and what stands below them."""

    cells: tuple[str, ...]
    below: tuple[str, ...]
    state: str


def head_line(overview: Overview) -> str:
    """Return what is installed, in one line."""
    receipt = overview.status.receipt
    version = overview.status.engine or UNKNOWN
    engine = "simulated engine" if receipt.simulate else f"engine {version}"
    return (
        f"profile {receipt.profile} under {receipt.supervisor}, {engine}, "
        f"generation {receipt.generation}, {receipt.endpoint}"
    )


def keyless_lines(overview: Overview) -> Iterator[str]:
    """Yield what to know where clients cannot come in, however well everything serves."""
    if overview.keyless:
        yield f"{NOBODY}: {ADD_ONE}"


def rows_of(overview: Overview, now: float) -> list[Row]:
    """Return a row for each service, in start order."""
    return [_row(overview, live, now) for live in overview.status.services]


def _row(overview: Overview, live: Live, now: float) -> Row:
    below = [overview.models[live.name]] if live.name in overview.models else []
    if live.state not in SERVING or live.state == "busy":
        below.append(live.status)
    if live.exit_code and live.exit_reason:
        below.append(f"last end: {live.exit_reason} (exit {live.exit_code})")
    return Row(
        cells=(
            live.name,
            live.state,
            span(now - live.since) if live.since else "",
            str(live.port or ""),
            _gpu(overview, live),
            _in_flight(overview, live),
            *_traffic(overview, live),
            str(max(live.attempt - 1, 0)),
        ),
        below=tuple(below),
        state=live.state,
    )


def _gpu(overview: Overview, live: Live) -> str:
    if live.name not in overview.models:
        return ""
    if overview.status.receipt.simulate:
        return "none"
    held = overview.gpu_bytes(live.name)
    return UNKNOWN if held is None else f"{held / _GIB:.1f} GiB"


def _in_flight(overview: Overview, live: Live) -> str:
    if live.name not in overview.models:
        return ""
    backend = overview.backends.get(live.name)
    if backend is None:
        return UNKNOWN
    return f"{backend.in_flight}, drained" if backend.draining else str(backend.in_flight)


def _traffic(overview: Overview, live: Live) -> tuple[str, str]:
    """Tokens a second in the last minute, and p50/p99 of the time to the first one."""
    model = overview.models.get(live.name)
    if model is None:
        return "", ""
    traffic = overview.traffic.get(model)
    if traffic is None:
        return UNKNOWN, UNKNOWN
    p50, p99 = traffic.first_token_p50_s, traffic.first_token_p99_s
    first = "none yet" if p50 is None or p99 is None else f"{p50:.2f}/{p99:.2f} s"
    return f"{traffic.tokens_per_s:.1f}", first


def traffic_values(traffic: Mapping[str, Traffic]) -> dict[str, object]:
    """Return traffic for JSON."""
    return {model: asdict(one) for model, one in traffic.items()}


def gpu_lines(overview: Overview) -> Iterator[str]:
    """Yield a line for each GPU."""
    for gpu in overview.gpus:
        size = (
            f"{(gpu.total - gpu.free) / _GIB:.1f} of {gpu.total / _GIB:.1f} GiB in use"
            if gpu.total is not None and gpu.free is not None
            else "memory is the host's"
        )
        others = f", others hold {gpu.others / _GIB:.1f} GiB" if gpu.others else ""
        yield f"GPU {gpu.index}: {gpu.name}, {size}{others}"


def table_lines(rows: Sequence[Row]) -> Iterator[tuple[str, Row | None]]:
    """Yield the lines of the table, with the service that a line is about.

    Columns that nobody fills are left out.
    """
    table = [HEADS, *(row.cells for row in rows)]
    shown = [i for i in range(len(HEADS)) if any(row.cells[i] for row in rows)]
    widths = {i: max(len(cells[i]) for cells in table) for i in shown}
    for number, cells in enumerate(table):
        text = "  ".join(cells[i].ljust(widths[i]) for i in shown).rstrip()
        yield text, rows[number - 1] if number else None
        if number:
            yield from ((f"  {below}", None) for below in rows[number - 1].below)


def span(seconds: float) -> str:
    """Return "12 s", "5 min", "3 h", "9 d"."""
    for length, word in _STEPS:
        if seconds >= length:
            return f"{seconds / length:.0f} {word}"
    return f"{max(seconds, 0):.0f} s"


def gpu_values(gpus: Sequence[GpuUse]) -> list[dict[str, object]]:
    """Return GPUs for JSON."""
    return [asdict(gpu) for gpu in gpus]


def now() -> float:
    """Return Unix time: when states began is written in it."""
    return time.time()
