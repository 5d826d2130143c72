"""At every call of the host, every kind of fault: the old state, the new one, or the steps left.

In memory, so that every point can be tried; test_host_transaction.py kills real
processes on real hosts.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from fakes.fake_host import KilledError
from fakes.fake_systemd import FakeSystemd, debian
from fakes.faulty_host import FAULTS, FaultyHost
from fakes.heard import Heard
from fakes.installed import MULTI, installed, twin
from trtllm_install.app.converge import How, Step, carry_out, plan_step
from trtllm_install.app.install import install
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.rollback import plan_rollback
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.undo import is_final, undo
from trtllm_install.app.uninstall import uninstall
from trtllm_install.apply.journal import Journal
from trtllm_install.model import layout
from trtllm_install.model.errors import ApplyFailed, GateFailed, Interrupted, NotUndone

FOLDERS = ("/etc", "/opt", "/var", "/run/trtllm")
QWEN = Options(profile="qwen", simulate=True)


def state(systemd: FakeSystemd) -> tuple[Any, ...]:
    """All that has to be as it was: bytes, modes, owners, groups, mtimes, accounts, services."""
    tree = systemd.host.snapshot(*FOLDERS)
    for path in list(tree):
        # A new launcher has a new number; what is left of a journal, the next run clears.
        if path.startswith(("/run/trtllm/", layout.JOURNAL)):
            del tree[path]
    # The last act of all removes the folder that held the journal; refused, it stays empty.
    if not any(path.startswith(f"{layout.STATE}/") for path in tree):
        tree.pop(layout.STATE, None)
    return tree, dict(systemd.host.accounts), set(systemd.pids), systemd.enabled


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A machine, and what is done on it."""

    before: FakeSystemd
    act: Callable[[Any], object]

    def machine(self) -> FakeSystemd:
        return twin(self.before)


def step_for(systemd: FakeSystemd, options: Options) -> Step:
    host = systemd.host
    judged = look_at(host, options, Heard())
    return plan_step(host, supervisor_called("systemd", host), judged, options)


def carrying_out(step: Step, verb: str) -> Callable[[Any], object]:
    def act(host: Any) -> object:
        supervisor = supervisor_called("systemd", host)
        return carry_out(host, supervisor, step, Heard(), How(verb=verb, timeout_s=30))

    return act


def first_install() -> Scenario:
    before = FakeSystemd(debian())
    return Scenario(before=before, act=carrying_out(step_for(before, MULTI), "install"))


def profile_switch() -> Scenario:
    """One model goes, the proxy goes, the other model is restarted, an edit is in the way."""
    before = installed()
    before.host.add_file(f"{layout.ENGINE_CONFIGS}/nano_v3.yaml", "max_batch_size: 1\n")
    before.host.nodes[f"{layout.ETC}/instances/qwen.json"].group = "adm"
    return Scenario(before=before, act=carrying_out(step_for(before, QWEN), "install"))


def way_back() -> Scenario:
    before = installed()
    install(before.host, QWEN, Heard())
    step = plan_rollback(before.host, to=None)
    return Scenario(before=before, act=carrying_out(step, "rollback"))


def removal() -> Scenario:
    before = installed()
    return Scenario(before=before, act=lambda host: uninstall(host, Heard(), purge=False))


SCENARIOS = {s.__name__: cache(s) for s in (first_install, profile_switch, way_back, removal)}


@cache
def length(name: str) -> tuple[int, tuple[Any, ...]]:
    """How many calls it takes when nothing goes wrong, and the new state."""
    scenario = SCENARIOS[name]()
    systemd = scenario.machine()
    host = FaultyHost(systemd.host)
    scenario.act(host)
    return len(host.acts), state(systemd)


# Every fault at every call is for a search by hand: TRTLLM_WALK=1. Else each fault takes
# its own part of the calls.
_STRIDE = int(os.environ.get("TRTLLM_WALK", str(3 * len(FAULTS))))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_call_may_fail_and_the_host_is_old_or_new(name: str, fault: str) -> None:
    scenario = SCENARIOS[name]()
    calls, new = length(name)
    old = state(scenario.before)
    assert old != new
    for at in range(1 + 3 * FAULTS.index(fault) % _STRIDE, calls + 1, _STRIDE):
        systemd = scenario.machine()
        host = FaultyHost(systemd.host, fault, at)
        left = run(scenario, host)
        point = f"{fault} at {at} of {calls}: {host.acts[at - 1]}"
        if fault in {"refused", "interrupted"} and not left:
            # That run has put everything back, or was complete but for clearing its journal.
            assert is_complete(systemd) or state(systemd) in (old, new), point
        undo(systemd.host, Heard())
        assert state(systemd) in (old, new), point
        assert not Journal(systemd.host).is_there(), point


def is_complete(systemd: FakeSystemd) -> bool:
    return is_final(systemd.host) or systemd.host.names_in(layout.JOURNAL) == ("committed",)


def run(scenario: Scenario, host: FaultyHost) -> bool:
    """Act; tell whether steps are left, each of which has to be said."""
    try:
        scenario.act(host)
    except NotUndone as error:
        assert "rollback" in error.hint  # noqa: PT017 (any end but this one is fine)
        return True
    except (ApplyFailed, GateFailed, Interrupted, KilledError):
        pass
    return False
