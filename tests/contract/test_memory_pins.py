"""A pinned KV cache from one install to the next."""

from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.install import install
from trtllm_install.app.observe import Refused, look_at
from trtllm_install.app.options import Options
from trtllm_install.model import layout
from trtllm_install.model.memory import MemoryPlan
from trtllm_install.probes import gpu as gpu_probe
from trtllm_install.receipts.store import read_receipt

GIB = 2**30
MULTI = Options(profile="multi", simulate=True)


def shown(host: FakeHost, options: Options) -> MemoryPlan:
    return look_at(host, options, Heard()).memory


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> FakeSystemd:
    """A host whose simulated GPU has 48 GiB: the shipped fractions do not fit."""
    monkeypatch.setattr(gpu_probe, "SIMULATED_MEMORY", 48 * GIB)
    return FakeSystemd(debian())


def test_install_refuses_what_does_not_fit_unless_it_is_accepted(small: FakeSystemd) -> None:
    with pytest.raises(Refused, match="gpu-memory-overcommitted"):
        install(small.host, MULTI, Heard())
    assert small.host.changes == []
    known = replace(MULTI, accept=("gpu-memory-overcommitted",), start=False)
    assert install(small.host, known, Heard()).step.plan.count > 0


def test_a_pin_makes_it_fit_and_is_remembered(small: FakeSystemd) -> None:
    install(small.host, replace(MULTI, memory="pin"), Heard())
    written = (small.host.read(f"{layout.ENGINE_CONFIGS}/qwen.site.yaml") or b"").decode()
    receipt = read_receipt(small.host)
    assert receipt is not None
    assert f"max_tokens: {receipt.pins['qwen']['max_tokens']}" in written
    for options in (MULTI, replace(MULTI, memory="pin"), Options(simulate=True)):
        assert install(small.host, options, Heard()).step.plan.count == 0
    assert shown(small.host, MULTI).pinned


def test_a_pin_is_a_planned_change_and_so_is_its_end() -> None:
    systemd = installed()
    pinned = install(systemd.host, replace(MULTI, memory="pin"), Heard()).step.plan
    assert [s.name for s in pinned.services] == ["qwen", "nemotron"]
    ended = install(systemd.host, replace(MULTI, memory="unpin"), Heard()).step.plan
    assert [s.name for s in ended.services] == ["qwen", "nemotron"]
    assert systemd.host.look(f"{layout.ENGINE_CONFIGS}/qwen.site.yaml") is None
    receipt = read_receipt(systemd.host)
    assert receipt is not None
    assert receipt.pins == {}


def test_another_profile_forgets_the_pins() -> None:
    systemd = installed()
    install(systemd.host, replace(MULTI, memory="pin"), Heard())
    assert not shown(systemd.host, Options(profile="qwen", simulate=True)).pinned
