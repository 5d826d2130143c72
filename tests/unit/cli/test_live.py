"""The picture of services that start, on terminals of several widths."""

import io

import pytest
from rich.console import Console

from trtllm_install.app.reporter import Live
from trtllm_install.cli.live import LiveReporter

SERVICES = (
    Live(name="qwen", state="healthy", status="healthy, loaded in 41.0 s"),
    Live(name="nemotron", state="waiting", status="waiting for qwen (loading), 12 s so far"),
)


@pytest.mark.parametrize(
    ("columns", "status", "tells_seconds"),
    [
        (120, "waiting for qwen (loading), 12 s so far", True),
        (80, "waiting for qwen", True),
        (40, "waiting for qw", False),
    ],
)
def test_why_a_service_waits_is_read_on_a_narrow_terminal_too(
    columns: int, status: str, tells_seconds: bool
) -> None:
    reporter = LiveReporter()
    reporter._console = console = Console(file=io.StringIO(), width=columns)
    with console.capture() as caught:
        console.print(reporter._table(SERVICES))
    first, second = caught.get().splitlines()
    assert max(len(first), len(second)) <= columns
    assert ("qwen" in first, "healthy" in first) == (True, True)
    assert ("nemotron" in second, status in second) == (True, True)
    assert ("  0 s  " in first) is tells_seconds
