"""How a smoke test ended, and which properties of a sandbox are to blame."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Completed
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import SmokeFacts, Unknown
from trtllm_install.model.facts.gpu import SmokeRun
from trtllm_install.probes.smoke import (
    MOST_CULPRITS,
    Group,
    account_sandbox,
    narrow,
    parse_run,
    probe_smoke,
    systemd_sandbox,
)

GPU = "GPU-1"
WELL = (
    f'{{"at": "cuInit"}}\n{{"gpu": "{GPU}", "at": "x"}}\n{{"passed": "{GPU}"}}\n{{"end": true}}\n'
)
GROUPS: tuple[Group, ...] = tuple((f"P{n}=yes",) for n in range(12))


def ended(stdout: str = "", *, code: int = 0, stderr: str = "") -> SmokeRun:
    return parse_run(Completed(argv=("x",), code=code, stdout=stdout, stderr=stderr), 40)


@settings(max_examples=40)
@given(bad=st.sets(st.sampled_from(GROUPS), max_size=MOST_CULPRITS))
def test_exactly_the_groups_that_are_in_the_way_are_found(bad: set[Group]) -> None:
    asked: list[Sequence[Group]] = []

    def passes(groups: Sequence[Group]) -> bool:
        asked.append(groups)
        return not bad & set(groups)

    assert set(narrow(GROUPS, passes)) == bad
    assert len(asked) <= 1 + 6 * len(bad)


def test_more_culprits_than_are_looked_for_are_no_answer() -> None:
    bad = set(GROUPS[:5])
    assert narrow(GROUPS, lambda groups: not bad & set(groups)) == ()


def test_run_that_ends_well_names_what_passed() -> None:
    assert ended(WELL) == SmokeRun(passed=(GPU,))
    assert not ended(WELL).failed


def test_run_that_was_cut_off_is_known_by_the_last_line_it_printed() -> None:
    so_far = '{"at": "cuInit"}\n{"gpu": "GPU-1", "at": "y"}\n{"at": "cuCtxSynchronize"}\nnoise\n'
    hung = SmokeRun(gpu=GPU, step="cuCtxSynchronize", detail="no answer in 40 s")
    assert ended(so_far, code=-14) == hung
    unit = (
        "Running as unit: run-u1.service\nMain processes terminated with: code=killed/status=ALRM\n"
    )
    assert ended(so_far, code=1, stderr=unit) == hung
    filtered = "Main processes terminated with: code=killed/status=SYS\n"
    assert ended(so_far, code=1, stderr=filtered).detail == "code=killed/status=SYS"
    assert ended(code=1, stderr="Failed to connect to bus\n").detail == "Failed to connect to bus"
    assert "ended with 3" in ended(code=3).detail


def host(*, broken_by: str = "", outside: str = WELL) -> FakeHost:
    """A host on which the sandbox is in the way as long as it has this property."""
    made = FakeHost()
    made.answer_command(["python3"], outside)

    def unit(argv: tuple[str, ...], _: str) -> Completed:
        bad = broken_by in argv
        text = '{"at": "cuInit"}\n{"failed": "CUDA_ERROR_NO_DEVICE (100)"}\n' if bad else WELL
        return Completed(argv=argv, code=0, stdout=text, stderr="")

    made.answer_command(["systemd-run"], by=unit)
    made.answer_command(["runuser"], by=unit)
    return made


def test_sandbox_that_is_not_in_the_way_costs_two_runs() -> None:
    on = host()
    facts = probe_smoke(on, [GPU], systemd_sandbox(GROUPS), python="python3")
    assert isinstance(facts, SmokeFacts)
    assert facts.inside == SmokeRun(passed=(GPU,))
    assert (facts.breaks, len(on.ran)) == ((), 2)
    assert [w for w in on.ran[1] if w.startswith("P")] == [group[0] for group in GROUPS]


def test_property_that_breaks_cuda_is_named() -> None:
    facts = probe_smoke(host(broken_by="P7=yes"), [GPU], systemd_sandbox(GROUPS), python="python3")
    assert isinstance(facts, SmokeFacts)
    assert facts.breaks == ("P7=yes",)
    assert isinstance(facts.inside, SmokeRun)
    assert facts.inside.step == "cuInit"


def test_user_is_to_blame_where_nothing_else_differs() -> None:
    facts = probe_smoke(host(broken_by="-u"), [GPU], account_sandbox("trtllm"), python="python3")
    assert isinstance(facts, SmokeFacts)
    assert facts.breaks == ("User=trtllm",)


def test_service_manager_that_runs_nothing_is_unknown_and_blames_no_property() -> None:
    on = host()
    on.answer_command(["systemd-run"], code=1, stderr="Failed to connect to bus: No such file\n")
    facts = probe_smoke(on, [GPU], systemd_sandbox(GROUPS), python="python3")
    assert isinstance(facts, SmokeFacts)
    assert isinstance(facts.inside, Unknown)
    assert "Failed to connect to bus" in facts.inside.reason
    refused = HostError("cannot run systemd-run: no such file", hint="x")
    on.answer_command(["systemd-run"], by=refused)
    again = probe_smoke(on, [GPU], systemd_sandbox(GROUPS), python="python3")
    assert isinstance(again, SmokeFacts)
    assert isinstance(again.inside, Unknown)


def test_failure_outside_is_not_looked_for_inside() -> None:
    on = host(outside='{"at": "loading libcuda.so.1"}\n{"failed": "no such file"}\n')
    facts = probe_smoke(on, [GPU], systemd_sandbox(GROUPS), python="python3")
    assert isinstance(facts, SmokeFacts)
    assert facts.outside.step == "loading libcuda.so.1"
    assert facts.inside is None
    assert len(on.ran) == 1
    assert isinstance(probe_smoke(FakeHost(), [GPU], None, python="none"), Unknown)
