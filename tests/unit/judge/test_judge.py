"""Facts in, findings out: the whole of it."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.healthy import FACTS, INSTALLATION
from fakes.judged import instances
from trtllm_install.judge.judge import judge
from trtllm_install.model import facts as f
from trtllm_install.model.catalogue import CATALOGUE
from trtllm_install.model.findings import Severity, blocking
from trtllm_install.model.installation import Installation


def test_healthy_host_has_no_findings() -> None:
    assert judge(FACTS, INSTALLATION) == ()


@pytest.mark.parametrize(
    ("root", "code"), [(True, "host-unreadable"), (False, "needs-root-to-see")]
)
def test_part_that_could_not_be_read_is_never_a_pass(root: bool, code: str) -> None:
    unknown = f.Unknown(reason="permission denied")
    parts = ("gpu", "proxy", "supervisor", "engine", "system")
    facts = replace(
        FACTS,
        root=root,
        weights=(("qwen", unknown),),
        ports=(("qwen", unknown),),
        **dict.fromkeys(parts, unknown),
    )
    found = judge(facts, INSTALLATION)
    assert {x.code for x in found} == {code}
    assert len(found) == len(parts) + 2 + 3  # weights of two models, ports of three services
    assert bool(blocking(found)) is root


def any_facts() -> st.SearchStrategy[f.Facts]:
    """Any facts at all, with names that meet those of the installation."""
    names = st.sampled_from(["qwen", "nemotron", "proxy", "other"])

    def named(kind: type) -> st.SearchStrategy[object]:
        value = st.one_of(st.from_type(kind), st.from_type(f.Unknown))
        return st.lists(st.tuples(names, value), max_size=3).map(tuple)

    return st.builds(f.Facts, weights=named(f.WeightsFacts), ports=named(f.PortFacts))


def any_installation() -> st.SearchStrategy[Installation]:
    gpus = st.lists(st.sampled_from(["", "0", "1", "GPU-0", "MIG-1", "x"]), max_size=2).map(tuple)
    hosts = st.sampled_from(["127.0.0.1", "0.0.0.0", "::1", "", "nowhere"])
    return st.builds(
        lambda g, h, s, simulate, proxy: replace(
            INSTALLATION,
            instances=instances(gpus=g, host=h),
            supervisor=s,
            simulate=simulate,
            proxy=proxy,
        ),
        gpus,
        hosts,
        st.sampled_from(["systemd", "supervisord"]),
        st.booleans(),
        st.sampled_from([INSTALLATION.proxy, None]),
    )


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(facts=any_facts(), installation=any_installation())
def test_judge_answers_any_facts_in_order_and_never_without_a_next_step(
    facts: f.Facts, installation: Installation
) -> None:
    found = judge(facts, installation)
    assert judge(facts, installation) == found
    order = [list(CATALOGUE).index(x.code) for x in found]
    assert order == sorted(order)
    for finding in found:
        assert finding.severity is Severity.INFO or finding.remedy
        assert finding.message
        if finding.muted_by:
            assert any(x.code == finding.muted_by and x.muted_by is None for x in found)
    # Whatever is muted, an error is never silenced without another that stands.
    errors = [x for x in found if x.severity is Severity.ERROR]
    assert bool(errors) == bool(blocking(found))
