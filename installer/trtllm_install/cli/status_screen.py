"""``status --watch``: the table redrawn every second, whatever happens to the host meanwhile."""

from contextlib import suppress

from rich.console import Console, Group, RenderableType
from rich.live import Live as Screen
from rich.text import Text

from trtllm_install.app.overview import GpuUse, Overview, read_overview
from trtllm_install.cli.status_view import (
    gpu_lines,
    head_line,
    keyless_lines,
    now,
    rows_of,
    table_lines,
)
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import InstallError
from trtllm_install.model.secrets import mask
from trtllm_install.model.states import BACKOFF, FAILED, SERVING

_EVERY_S = 1.0
_GPUS_EVERY_S = 5.0  # NVML starts a process


def watch_status(host: Host) -> None:
    """Show the host until Ctrl-C; an error is shown in its place, and asking goes on."""
    console = Console(highlight=False)
    gpus: tuple[GpuUse, ...] | None = None
    asked = host.monotonic()
    with (
        suppress(KeyboardInterrupt),
        Screen(console=console, screen=True, auto_refresh=False) as screen,
    ):
        while True:
            if host.monotonic() - asked > _GPUS_EVERY_S:
                gpus, asked = None, host.monotonic()
            try:
                overview = read_overview(host, gpus)
                gpus = overview.gpus
                picture = picture_of(overview)
            except InstallError as error:
                picture = Text(f"{error.message}\n\nhint: {error.hint}", style="red")
            screen.update(picture, refresh=True)
            host.pause(_EVERY_S)


def picture_of(overview: Overview) -> RenderableType:
    """Return the screen for one moment; what a narrow terminal cannot show ends in an ellipsis."""
    lines = [Text(head_line(overview), style="bold")]
    lines += [Text(line, style="bold yellow") for line in keyless_lines(overview)]
    lines.append(Text())
    for text, row in table_lines(rows_of(overview, now())):
        line = Text(mask(text), style="" if row else "dim")
        if row:
            line.highlight_words([row.state], _style(row.state))
        lines.append(line)
    lines += [Text(), *(Text(line) for line in gpu_lines(overview))]
    lines += [Text(f"unknown: {line}", style="yellow") for line in overview.unknown]
    lines.append(Text("Ctrl-C ends this", style="dim"))
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*lines)


def _style(state: str) -> str:
    if state in SERVING:
        return "green"
    return "bold red" if state in {FAILED, BACKOFF} else "yellow"
