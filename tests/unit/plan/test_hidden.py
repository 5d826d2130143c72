"""A plan of somebody who may not look everywhere."""

import fakes.installed
from fakes.fake_host import FakeHost
from fakes.heard import Heard
from trtllm_install.app.converge import plan_step
from trtllm_install.app.observe import look_at
from trtllm_install.app.services import supervisor_called
from trtllm_install.model import layout
from trtllm_install.model.tree import Plan

QWEN = layout.launch_spec("qwen")


def planned(host: FakeHost) -> Plan:
    judged = look_at(host, fakes.installed.MULTI, Heard())
    supervisor = supervisor_called(judged.wanted.installation.supervisor, host)
    return plan_step(host, supervisor, judged, fakes.installed.MULTI).plan


def test_what_a_user_may_not_read_is_unknown_and_not_a_change() -> None:
    host = fakes.installed.installed().host
    host.root = False
    host.forbid(QWEN)
    plan = planned(host)
    assert plan.count == 0
    assert [line.partition(":")[0] for line in plan.unknown] == [
        f"whether {QWEN} changes",
        "whether qwen begins anew",
    ]


def test_where_everything_can_be_read_nothing_is_unknown() -> None:
    host = fakes.installed.installed().host
    host.root = False
    plan = planned(host)
    assert (plan.count, plan.unknown) == (0, ())
