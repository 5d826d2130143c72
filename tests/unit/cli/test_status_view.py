"""The table of ``status``: what it says, and what it says it does not know."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.fake_systemd import FakeSystemd
from fakes.installed import installed
from trtllm_install.app.overview import GpuUse, Overview, read_overview
from trtllm_install.cli.status_view import gpu_lines, head_line, rows_of, span, table_lines
from trtllm_install.proxy.backends import Backend
from trtllm_install.proxy.traffic import Traffic

GIB = 2**30
QWEN, NEMOTRON = "nvidia/Qwen3-30B-A3B-FP4", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"
NOW = 2000.0


@pytest.fixture(scope="module")
def systemd() -> FakeSystemd:
    return installed()


@pytest.fixture
def overview(systemd: FakeSystemd) -> Overview:
    """A real GPU host with both models at work."""
    found = read_overview(systemd.host)
    services = tuple(replace(live, since=NOW - 7200, status="ok") for live in found.status.services)
    status = replace(
        found.status,
        services=services,
        engine="1.3.0rc2",
        receipt=replace(found.status.receipt, simulate=False),
    )
    held = {"qwen": 40 * GIB, "nemotron": 38 * GIB}
    return replace(
        found,
        status=status,
        backends={
            "qwen": Backend(
                name="qwen", state="healthy", serving=True, draining=False, in_flight=2
            ),
            "nemotron": Backend(
                name="nemotron", state="draining", serving=False, draining=True, in_flight=1
            ),
        },
        gpus=(GpuUse(index=0, name="B200", total=180 * GIB, free=100 * GIB, services=held),),
        traffic={
            QWEN: Traffic(tokens_per_s=84.2, first_token_p50_s=0.21, first_token_p99_s=0.86),
            NEMOTRON: Traffic(tokens_per_s=0.0),
        },
        unknown=(),
    )


def text_of(overview: Overview) -> str:
    lines = [line for line, _ in table_lines(rows_of(overview, NOW))]
    return "\n".join([head_line(overview), *lines, *gpu_lines(overview)])


def with_service(overview: Overview, name: str, **changes: object) -> Overview:
    services = tuple(
        replace(live, **changes) if live.name == name else live  # type: ignore[arg-type]
        for live in overview.status.services
    )
    return replace(overview, status=replace(overview.status, services=services))


def test_a_host_at_work(overview: Overview) -> None:
    assert text_of(overview) == (
        "profile multi under systemd, engine 1.3.0rc2, generation 1, http://127.0.0.1:8000\n"
        "SERVICE   STATE    FOR  PORT  GPU MEM   IN FLIGHT   TOK/S  FIRST TOKEN  RESTARTS\n"
        "qwen      healthy  2 h  8001  40.0 GiB  2           84.2   0.21/0.86 s  0\n"
        "  nvidia/Qwen3-30B-A3B-FP4\n"
        "nemotron  healthy  2 h  8002  38.0 GiB  1, drained  0.0    none yet     0\n"
        "  nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4\n"
        "proxy     healthy  2 h  8000                                            0\n"
        "GPU 0: B200, 80.0 of 180.0 GiB in use"
    )


def test_a_load_says_how_far_it_is(overview: Overview) -> None:
    loading = with_service(overview, "qwen", state="loading", status="loading weights 63 %")
    assert "  loading weights 63 %" in text_of(loading)


def test_a_restart_says_why(overview: Overview) -> None:
    again = with_service(overview, "qwen", attempt=3, exit_code=82, exit_reason="hung for 90 s")
    text = text_of(again)
    assert "  last end: hung for 90 s (exit 82)" in text
    assert text.splitlines()[2].endswith("  2")


def test_what_nobody_says_is_a_question_mark_and_never_a_zero(overview: Overview) -> None:
    blind = replace(overview, backends={}, traffic={}, gpus=(), unknown=("requests: not root",))
    qwen = text_of(blind).splitlines()[2].split()
    assert qwen == ["qwen", "healthy", "2", "h", "8001", "?", "?", "?", "?", "0"]


def test_memory_that_the_driver_does_not_split_is_unknown(overview: Overview) -> None:
    (gpu,) = overview.gpus
    shared = replace(gpu, total=None, free=None, services={"qwen": None}, others=3 * GIB)
    unified = replace(overview, gpus=(shared,))
    assert unified.gpu_bytes("qwen") is None
    assert "memory is the host's, others hold 3.0 GiB" in text_of(unified)


def test_a_simulated_host_has_no_gpu_memory_and_says_so(systemd: FakeSystemd) -> None:
    found = read_overview(systemd.host)
    assert found.gpus == ()
    assert "simulated engine" in head_line(found)
    assert any("requests:" in reason for reason in found.unknown)


@given(st.floats(0, 1e9))
def test_a_span_has_one_unit_and_is_never_negative(seconds: float) -> None:
    number, unit = span(seconds).split()
    assert int(number) >= 0
    assert unit in {"s", "min", "h", "d"}
