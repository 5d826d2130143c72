"""The verb: bars for people, values for programs, a picture for both."""

from xml.etree import ElementTree as ET

import pytest

from fakes.command_line import CommandLine
from fakes.fake_timeline import failed, start
from trtllm_install.cli.timeline_view import timeline_lines
from trtllm_install.model import layout, phases
from trtllm_install.model.errors import HostError
from trtllm_install.model.timeline import parse_starts, side_by_side
from trtllm_install.render.timeline_svg import render_timeline

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys).installed()


def test_the_last_start_is_shown_with_its_phases_and_gigabytes_a_second(line: CommandLine) -> None:
    ran = line.run("timeline")
    assert ran.code == 0
    assert "qwen: ready after 57.5 s; 18.1 GB of weights at 0.85 GB/s, from disk" in ran.out
    assert "from the page cache, 18.1 GB read ahead" in ran.out
    assert "  compile        9.0 s  C  kernels are compiled and tuned" in ran.out
    bar = next(text for text in ran.out.splitlines() if text.startswith("qwen  "))
    assert bar.count("W") == pytest.approx(60 * 21.3 / 58, abs=1)


def test_an_earlier_start_is_shown_too(line: CommandLine) -> None:
    ran = line.run("timeline", "--back", "2", "qwen")
    assert "failed after 600.1 s (exit 75: not admitted within 10 min)" in ran.out
    ran = line.run("timeline", "--back", "3")
    assert ran.code == 2
    assert "cannot show start 3: 2 are recorded" in ran.err
    assert line.run("timeline", "--back", "0").code == 2


def test_a_picture_is_drawn_where_a_file_is_named(line: CommandLine) -> None:
    ran = line.run("timeline", "--svg", "/srv/start.svg", "--output", "json")
    assert [entry["name"] for entry in ran.document["timeline"]] == ["qwen", "nemotron"]
    drawn = line.host.read("/srv/start.svg")
    assert drawn is not None
    assert ET.fromstring(drawn).tag == f"{SVG}svg"


def test_a_plain_user_is_told_that_root_may(
    line: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read = layout.timeline("qwen"), line.host.read

    def denied(asked: str, **how: int) -> bytes | None:
        if asked == path:
            raise HostError(f"cannot read {asked}: permission denied", hint="sudo")
        return read(asked, **how)

    monkeypatch.setattr(type(line.host), "read", lambda _, asked, **how: denied(asked, **how))
    line.host.root = False
    ran = line.run("timeline")
    assert ran.code == 8
    assert "hint: sudo trtllm-install timeline" in ran.err


def test_the_picture_is_whole_and_has_no_script_and_both_colours() -> None:
    starts = side_by_side(
        (*parse_starts("a<b", {"starts": [start()]}), *parse_starts("q", {"starts": [failed(103)]}))
    )
    text = render_timeline(starts, 'start of "x" & y', ["ready", "failed <75>"])
    root = ET.fromstring(text)
    bars = [rect for rect in root.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    assert len(bars) == 7 + 2
    width = float(root.attrib["width"])
    assert all(float(b.attrib["x"]) + float(b.attrib["width"]) <= width for b in bars)
    assert "prefers-color-scheme:dark" in text
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_every_phase_has_a_letter_and_a_colour() -> None:
    every = [{"phase": phase, "from_s": float(n)} for n, phase in enumerate(phases.MEANING)]
    starts = parse_starts("qwen", {"starts": [start(phases=every, ready_s=9.0)]})
    bar = timeline_lines(starts)[1].split()[1]
    assert len(set(bar)) == len(phases.MEANING)
    text = render_timeline(starts, "t", ["c"])
    assert all(f".p-{phase}{{fill:#" in text for phase in phases.MEANING)
