"""Starts as a picture: one SVG file, light or dark as its reader's screen is, and no script."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from trtllm_install.model import phases
from trtllm_install.model.timeline import Start

_WIDTH, _LABELS, _RIGHT = 960, 110, 30
_TOP, _ROW, _BAR = 64, 58, 22
_TICKS = 8  # at most
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
# Two colours for each phase, on white and on black.
_COLOURS = {
    phases.BACKOFF: ("#d1242f", "#f85149"),
    phases.WAITING: ("#afb8c1", "#57606a"),
    phases.ADMISSION: ("#8250df", "#a371f7"),
    phases.START: ("#6e7781", "#8b949e"),
    phases.WEIGHTS: ("#0969da", "#388bfd"),
    phases.COMPILE: ("#bf8700", "#d29922"),
    phases.WARM_UP: ("#1a7f37", "#3fb950"),
    phases.GATE: ("#1b7c83", "#39c5cf"),
}


def render_timeline(starts: Sequence[Start], title: str, captions: Sequence[str]) -> str:
    """Return the file's text; ``captions`` stand below the bars, one for each start."""
    span = max((start.offset_s + start.length_s for start in starts), default=0.0) or 1.0
    scale = (_WIDTH - _LABELS - _RIGHT) / span
    height = _TOP + _ROW * len(starts) + 34
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-label={quoteattr(title)}>'
        ),
        _style(),
        f'<rect class="ground" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        *_legend(starts),
        *_axis(span, scale, height),
    ]
    for row, (start, caption) in enumerate(zip(starts, captions, strict=True)):
        parts += _row(start, caption, _TOP + _ROW * row, scale)
    return "\n".join((*parts, "</svg>", ""))


def _style() -> str:
    light = "".join(f".{_id(p)}{{fill:{c[0]}}}" for p, c in _COLOURS.items())
    dark = "".join(f".{_id(p)}{{fill:{c[1]}}}" for p, c in _COLOURS.items())
    return (
        "<style>text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:15px;"
        "font-weight:600}.name{font-weight:600}.small{fill:#59636e;font-size:11px}"
        ".ground{fill:#fff}.tick{stroke:#d1d9e0}.failed{fill:#d1242f}"
        f"{light}@media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.small{{fill:#9198a1}}"
        f".ground{{fill:#0d1117}}.tick{{stroke:#30363d}}.failed{{fill:#f85149}}{dark}}}</style>"
    )


def _legend(starts: Sequence[Start]) -> list[str]:
    used = {span.phase for start in starts for span in start.spans}
    parts, x = [], 16
    for phase in phases.MEANING:
        if phase in used:
            parts.append(f'<rect class="{_id(phase)}" x="{x}" y="36" width="10" height="10"/>')
            parts.append(f'<text class="small" x="{x + 14}" y="45">{phase}</text>')
            x += 26 + 7 * len(phase)
    return parts


def _axis(span: float, scale: float, height: int) -> list[str]:
    step = next((s for s in _STEPS if span / s <= _TICKS), int(span // _TICKS) + 1)
    parts = []
    for second in range(0, int(span) + 1, step):
        x = _LABELS + second * scale
        parts.append(
            f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{height - 26}"/>'
            f'<text class="small" x="{x:.1f}" y="{height - 12}" text-anchor="middle">'
            f"{second} s</text>"
        )
    return parts


def _row(start: Start, caption: str, y: int, scale: float) -> list[str]:
    parts = [f'<text class="name" x="16" y="{y + 16}">{escape(start.name)}</text>']
    for span in start.spans:
        x = _LABELS + (start.offset_s + span.begin) * scale
        width = max(1.0, (span.end - span.begin) * scale)
        words = f"{span.phase}: {span.end - span.begin:.1f} s, {phases.MEANING[span.phase]}"
        parts.append(
            f'<rect class="{_id(span.phase)}" x="{x:.1f}" y="{y}" width="{width:.1f}" '
            f'height="{_BAR}"><title>{escape(words)}</title></rect>'
        )
    kind = "small" if start.outcome == "ready" else "failed"
    parts.append(f'<text class="{kind}" x="{_LABELS}" y="{y + 38}">{escape(caption)}</text>')
    return parts


def _id(phase: str) -> str:
    return f"p-{phase}"
