"""The memory plan as a picture: well formed, self-contained, true to the plan."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.command_line import INSTALL, CommandLine
from fakes.models import planned
from trtllm_install.cli.memory_svg import memory_svg
from trtllm_install.cli.picture import WIDTH, words

GIB = 2**30
SVG = "{http://www.w3.org/2000/svg}"


def bars(svg: str) -> list[tuple[float, float]]:
    """Start and width of each part of a bar, from left to right."""
    root = ET.fromstring(svg)
    return [
        (float(rect.attrib["x"]), float(rect.attrib["width"]))
        for rect in root.iter(f"{SVG}rect")
        if rect.attrib["height"] == "28"
    ]


def test_the_lengths_are_the_sizes() -> None:
    parts = bars(memory_svg(planned()))
    assert sum(width for _, width in parts) == pytest.approx(WIDTH - 32, abs=1)
    assert parts[0][1] == pytest.approx((WIDTH - 32) * 16.9 / 80, abs=2)  # Qwen's weights


@settings(max_examples=15)
@given(st.integers(1, 400))
def test_no_part_leaves_the_picture(gib: int) -> None:
    for x, width in bars(memory_svg(planned(gib * GIB))):
        assert x >= 16
        assert x + width <= WIDTH - 15


def test_it_says_what_it_shows_and_what_lacks() -> None:
    assert "qwen: weights 16.9 GiB" in memory_svg(planned())
    assert "GiB lack" in memory_svg(planned(16 * GIB))


def test_it_needs_nothing_from_elsewhere_and_has_both_colours() -> None:
    svg = memory_svg(planned())
    assert "prefers-color-scheme: dark" in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


def test_text_is_escaped() -> None:
    assert "&lt;b&gt;" in words(0, 0, "<b>")


def test_plan_writes_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = CommandLine(monkeypatch, capsys)
    line.host.add_directory("/srv")
    ran = line.run("plan", *INSTALL[1:], "--svg", "/srv/memory.svg", "--output", "json")
    assert ran.document["memory"]["gpus"]
    assert b"<svg" in (line.host.read("/srv/memory.svg") or b"")
