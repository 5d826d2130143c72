"""What plan shows is what install does, whatever the site file, the edits and the supervisor."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fakes.fake_supervisord import FakeSupervisord
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from trtllm_install.app.converge import plan_step
from trtllm_install.app.desired import desired_again, desired_tree
from trtllm_install.app.install import install
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.services import supervisor_called
from trtllm_install.app.verify import verify
from trtllm_install.app.wish import Wish, parsed, remembered
from trtllm_install.cli.present import change_values, plan_values, service_value
from trtllm_install.model import layout
from trtllm_install.model.drift import Weight
from trtllm_install.model.errors import ConfigError, PreflightFailed
from trtllm_install.model.tree import Change, Plan, ServiceChange

_EXAMPLES = 100 if os.environ.get("TRTLLM_WALK") == "1" else 5
_PHASES = (Phase.explicit, Phase.generate)  # what fails is small enough to be read
PROFILES = ("qwen", "nemotron", "multi")
SUPERVISORS = {"systemd": FakeSystemd, "supervisord": FakeSupervisord}


class Made(Heard):
    """What a run says that it did."""

    def __init__(self) -> None:
        super().__init__()
        self.made: list[dict[str, object]] = []

    def change(self, change: Change) -> None:
        """Keep the change."""
        super().change(change)
        self.made += change_values([change])

    def service(self, change: ServiceChange) -> None:
        """Keep the order."""
        super().service(change)
        self.made.append(service_value(change))


_INSTANCE = st.fixed_dictionaries(
    {},
    optional={
        "port": st.sampled_from([8101, 8102]),
        "gpus": st.sampled_from([[], ["0"]]),
        "max_batch_size": st.integers(1, 8),
        "max_seq_len": st.integers(1024, 4096),
        "free_gpu_memory_fraction": st.sampled_from([0.2, 0.3, 0.4]),
        "arguments": st.sampled_from([[], ["--trust_remote_code"]]),
        "engine": st.sampled_from([{}, {"enable_chunked_prefill": True}]),
    },
)
SITES = st.fixed_dictionaries(
    {},
    optional={
        "port": st.sampled_from([8000, 9000]),
        "profile": st.sampled_from(PROFILES),
        "instances": st.dictionaries(st.sampled_from(["qwen", "nemotron"]), _INSTANCE),
        "proxy": st.fixed_dictionaries(
            {}, optional={"body_limit_mib": st.integers(1, 64), "workers": st.integers(1, 4)}
        ),
    },
)
# What an operator may have done to a host of ours meanwhile, by the number of a path.
EDITS = st.lists(
    st.tuples(st.sampled_from(["edit", "remove", "chmod"]), st.integers(0, 200)), max_size=3
)


def edit(machine: FakeSystemd, edits: Sequence[tuple[str, int]]) -> None:
    host = machine.host
    ours = [p for p in sorted(host.nodes) if p.startswith("/etc/trtllm/")]
    for deed, number in edits:
        files = [p for p in ours if p in host.nodes and host.nodes[p].kind == "file"]
        if files and deed == "remove":
            host.remove(files[number % len(files)])
        elif files and deed == "chmod":
            path = files[number % len(files)]
            host.nodes[path] = replace(host.nodes[path], mode=0o600)
        elif files:
            path = files[number % len(files)]
            if path.endswith(".lua"):
                host.write(path, b"-- mine\n", mode=0o644, owner="root")


def planned(machine: FakeSystemd, options: Options) -> Plan:
    judged = look_at(machine.host, options, Heard())
    supervisor = supervisor_called(judged.wanted.installation.supervisor, machine.host)
    plan = plan_step(machine.host, supervisor, judged, options).plan
    if judged.errors:
        raise PreflightFailed("it would refuse", hint="")
    return plan


@pytest.mark.parametrize("init", SUPERVISORS)
@pytest.mark.parametrize("profile", PROFILES)
@given(sites=st.lists(SITES, min_size=1, max_size=2), edits=EDITS, start=st.booleans())
@settings(max_examples=_EXAMPLES, suppress_health_check=[HealthCheck.too_slow], phases=_PHASES)
def test_the_changes_of_plan_are_those_of_install(
    profile: str, init: str, sites: list[dict[str, Any]], edits: Any, start: bool
) -> None:
    """From nothing to the first site file, and from each to the next; edits in between."""
    machine = SUPERVISORS[init](debian())
    for turn, site in enumerate(sites):
        machine.host.add_file(layout.SITE_FILE, yaml.safe_dump(site))
        if turn:
            edit(machine, edits)
        options = Options(profile=profile, simulate=True, init=init, start=start)  # type: ignore[arg-type]
        try:
            plan = planned(machine, options)
        except (PreflightFailed, ConfigError) as refused:
            with pytest.raises(type(refused)):
                install(machine.host, options, Made())
            return
        heard = Made()
        done = install(machine.host, options, heard)
        assert plan_values(done.step.plan) == plan_values(plan)
        writes = [value for value in plan_values(plan) if value["action"] != "keep"]
        record = (layout.RECEIPT, layout.GENERATIONS)
        made = [v for v in heard.made if not str(v["path"]).startswith(record)]
        assert sorted(made, key=repr) == sorted(writes, key=repr)
        assert planned(machine, options).count == 0
        kept = {change.path for change in plan.kept}
        drift = {d.subject for d in verify(machine.host, Heard()).drift if d.weight is Weight.DRIFT}
        assert drift <= kept


@given(site=SITES, profile=st.sampled_from(PROFILES))
@settings(max_examples=2 * _EXAMPLES, phases=_PHASES)
def test_what_is_remembered_is_what_would_be_made_again(profile: str, site: dict[str, Any]) -> None:
    machine = FakeSystemd(debian())
    machine.host.add_file(layout.SITE_FILE, yaml.safe_dump(site))
    options = Options(profile=profile, simulate=True, start=False)
    try:
        install(machine.host, options, Heard())
    except (PreflightFailed, ConfigError):
        return
    judged = look_at(machine.host, options, Heard())
    kept, origin = desired_again(machine.host, judged.wanted, judged.facts, judged.receipt)
    assert judged.receipt
    assert origin == judged.receipt.origin
    assert kept == desired_tree(judged.wanted, judged.facts)
    wanted = judged.wanted
    supervisor = wanted.installation.supervisor
    wish = Wish(options=options, engine=wanted.engine, supervisor=supervisor)
    again = remembered(machine.host, wish, judged.receipt)
    assert repr(again) == repr(parsed(machine.host, wish, judged.receipt))
