"""CUDA is tried before a model is started, and never without need."""

import dataclasses
import json
import sys

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from fakes.heard import Heard
from trtllm_install.app.observe import Judged, look_at
from trtllm_install.app.options import Options
from trtllm_install.app.smoke import smoke_sentence, try_cuda_first, with_smoke
from trtllm_install.host.protocol import Completed
from trtllm_install.model.errors import PreflightFailed
from trtllm_install.model.tree import Plan, ServiceAction, ServiceChange
from trtllm_install.probes.gpu import CHILD

UUID = "GPU-11111111-2222-3333-4444-555555555555"
WELL = json.dumps({"passed": UUID}) + '\n{"end": true}\n'
BROKEN = json.dumps({"gpu": UUID, "at": "cuInit"}) + '\n{"failed": "CUDA_ERROR_NO_DEVICE (100)"}\n'
OPTIONS = Options(profile="qwen", weights_dir="/data", accept=())
STARTING = Plan(services=(ServiceChange(action=ServiceAction.START, name="qwen", reason="new"),))


def host(*, processes: list[object] | None = None, breaks: str = "", mig: bool = False) -> FakeHost:
    made = debian()
    gpu = {"index": 0, "name": "NVIDIA B200", "uuid": UUID, "capability": [10, 0], "pci": ""}
    state = {"memory": {"total": 2**40, "free": 2**40}, "processes": processes or []}
    modes = {"mig": [int(mig), int(mig)]}
    said = {"driver": "580.1", "cuda": 13000, "gpus": [{**gpu, **state, **modes}]}
    made.answer_command([sys.executable, "-I", CHILD], json.dumps(said))
    made.add_program("/usr/bin/python3")
    made.answer_command(["/usr/bin/python3"], WELL)

    def unit(argv: tuple[str, ...], _: str) -> Completed:
        text = BROKEN if breaks and breaks in argv else WELL
        return Completed(argv=argv, code=0, stdout=text, stderr="")

    made.answer_command(["systemd-run"], by=unit)
    return made


def judged(on: FakeHost) -> Judged:
    """The host with all that is wrong apart from CUDA accepted."""
    found = look_at(on, OPTIONS, Heard())
    on.ran.clear()
    return dataclasses.replace(found, findings=())


def accepting(found: Judged) -> Options:
    """Accept what a bare fake host lacks."""
    codes = {f.code for f in found.findings if not f.code.startswith("cuda-s")}
    return dataclasses.replace(OPTIONS, accept=tuple(codes))


def test_kernel_runs_by_itself_and_as_nobody_while_there_is_no_service_user() -> None:
    on = host()
    tried = with_smoke(on, judged(on), OPTIONS)
    plain, unit = on.ran
    assert plain[:3] == ("/usr/bin/python3", "-I", "-")
    assert plain[-1] == UUID
    assert "User=nobody" in unit
    assert "User=trtllm" not in unit
    assert "ProtectSystem=strict" in unit
    assert "also as services run it" in smoke_sentence(tried.facts)
    assert not [f for f in tried.findings if f.code.startswith("cuda-s")]


def test_drop_in_of_the_operator_is_tried_as_well() -> None:
    on = host()
    on.add_account("trtllm", "/var/lib/trtllm")
    on.add_file("/etc/systemd/system/trtllm-qwen.service.d/mine.conf", "[Service]\nUMask=0022\n")
    with_smoke(on, judged(on), OPTIONS)
    assert "User=trtllm" in on.ran[1]
    assert on.ran[1].index("UMask=0077") < on.ran[1].index("UMask=0022")


def test_install_is_refused_with_the_property_that_breaks_cuda() -> None:
    on = host(breaks="PrivateTmp=yes")
    found = judged(on)
    everything = accepting(look_at(on, OPTIONS, Heard()))
    on.ran.clear()
    with pytest.raises(PreflightFailed) as refused:
        try_cuda_first(on, found, STARTING, everything, Heard())
    assert "it passes without PrivateTmp=yes" in refused.value.message
    assert "under [Service] write: PrivateTmp=no" in refused.value.message
    assert "nothing was changed" in refused.value.message
    assert on.changes == []


def test_nothing_is_tried_where_no_model_starts_or_ours_compute_already() -> None:
    on = host()
    found = judged(on)
    proxy = ServiceChange(action=ServiceAction.START, name="proxy", reason="new")
    for plan in (Plan(), Plan(services=(proxy,))):
        assert try_cuda_first(on, found, plan, OPTIONS, Heard()) is found
    busy = host(processes=[{"pid": 7, "memory": 1}])
    busy.add_file("/proc/7/cgroup", "0::/system.slice/trtllm-qwen.service\n")
    serving = judged(busy)
    assert with_smoke(busy, serving, OPTIONS) is serving
    assert "not tried" in smoke_sentence(serving.facts)
    assert on.ran == busy.ran == []


def test_slices_and_callers_without_root_are_told_and_not_taken_for_well() -> None:
    sliced = host(mig=True)
    assert "slices" in _untried(with_smoke(sliced, judged(sliced), OPTIONS))
    user = host()
    user.root = False
    tried = with_smoke(user, judged(user), OPTIONS)
    assert "only root" in _untried(tried)
    assert "was not tried as services run it" in smoke_sentence(tried.facts)


def _untried(found: Judged) -> str:
    return next(f.message for f in found.findings if f.code == "cuda-smoke-untried")
