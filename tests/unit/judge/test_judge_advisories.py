"""Advisories apply where every condition is known to be met, and nowhere else."""

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fakes.healthy import FACTS, GPU, INSTALLATION
from trtllm_install.app.observe import shipped_advisories
from trtllm_install.config.profile import parse_site
from trtllm_install.judge.advisories import check_advisories
from trtllm_install.model import facts as f
from trtllm_install.model.advisories import Advisory, Setting, When
from trtllm_install.model.findings import Finding

SHIPPED = shipped_advisories()
Keys = dict[str, dict[str, Any]]


def facts(
    capability: tuple[int, int] = (12, 1),
    *,
    driver: str = "580.95.05",
    toolkit: str = "13.0",
    proxy: f.ProxyBinary | None = None,
) -> f.Facts:
    """A host of one GPU, with Qwen3 and Nemotron as they are."""
    kinds = {"qwen": "qwen3_moe", "nemotron": "nemotron_h"}
    return replace(
        FACTS,
        gpu=f.GpuFacts(driver=driver, cuda=(13, 0), gpus=(replace(GPU, capability=capability),)),
        weights=tuple(
            (name, replace(w, model_type=kinds[name]))
            for name, w in FACTS.weights
            if isinstance(w, f.WeightsFacts)
        ),
        proxy=proxy,
        system=replace(FACTS.system, toolkit=toolkit),
    )


def told(seen: f.Facts, keys: Keys | None = None, version: str = "1.3.0rc2") -> list[Finding]:
    installation = replace(INSTALLATION, engine_version=version)
    return list(check_advisories(seen, installation, SHIPPED, keys or {}))


def ids(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.advisory, finding.subject) for finding in findings}


def test_qwen_on_sm12x_is_told_with_the_lines_that_help() -> None:
    (finding,) = told(facts((12, 0)))
    assert (finding.code, finding.subject) == ("known-fault", "qwen")
    assert "cudaErrorIllegalInstruction" in finding.message
    assert finding.sources == ("https://github.com/NVIDIA/TensorRT-LLM/issues/11313",)
    site = parse_site(finding.change, "site.yaml", frozenset({"qwen"}))
    assert site.instances["qwen"].engine_overrides() == {"compile_backend": "torch-cudagraph"}


@pytest.mark.parametrize(
    ("seen", "keys", "version"),
    [
        (facts((10, 0)), {}, "1.3.0rc2"),
        (facts(), {}, "1.3.0rc3"),
        (facts(), {"qwen": {"compile_backend": "torch-cudagraph"}}, "1.3.0rc2"),
        (replace(facts(), weights=()), {}, "1.3.0rc2"),
        (replace(facts(), gpu=f.Unknown(reason="hidden")), {}, "1.3.0rc2"),
    ],
    ids=["another GPU", "mended", "the change is made", "weights unread", "GPU unread"],
)
def test_sm12x_is_silent_where_a_condition_is_not_met(
    seen: f.Facts, keys: Keys, version: str
) -> None:
    assert told(seen, keys, version) == []


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"qwen": {"tensor_parallel_size": 2}}, ("autodeploy-tensor-parallel", "qwen")),
        ({"nemotron": {"world_size": 2}}, ("autodeploy-nemotron-sharding", "nemotron")),
    ],
)
def test_settings_that_cannot_run_stop_an_install(keys: Keys, expected: tuple[str, str]) -> None:
    (finding,) = told(facts((10, 0)), keys)
    assert (finding.advisory, finding.subject) == expected
    assert finding.code == "known-failure"


def test_host_cache_tier_of_a_gb10_is_told_with_a_nested_change() -> None:
    keys: Keys = {
        "qwen": {"compile_backend": "torch-cudagraph"},
        "nemotron": {"kv_cache_config": {"host_cache_size": 2**30}},
    }
    (finding,) = told(facts(), keys)
    assert (finding.advisory, finding.subject) == ("gb10-host-cache", "nemotron")
    site = yaml.safe_load(finding.change)
    assert site["instances"]["nemotron"]["engine"] == {"kv_cache_config": {"host_cache_size": 0}}


def test_toolkit_newer_than_the_driver_is_a_limit_of_the_host() -> None:
    (finding,) = told(facts((10, 0), toolkit="13.1.0"))
    assert (finding.code, finding.subject) == ("known-limit", "this host")
    assert told(facts((10, 0), toolkit="13.1.0", driver="590.44.01")) == []
    assert told(facts((10, 0), toolkit="")) == []


def nginx(version: str, kind: Any = "nginx", package: str = "") -> f.ProxyBinary:
    return f.ProxyBinary(kind=kind, path="/usr/sbin/nginx", version=version, package=package)


@pytest.mark.parametrize(
    ("binary", "cves"),
    [
        (nginx("1.26.3"), {"CVE-2026-42533", "CVE-2026-118899"}),
        (nginx("1.30.5"), {"CVE-2026-93479", "CVE-2026-118899"}),
        (nginx("1.30.7"), set()),
        (nginx("1.31.8"), {"CVE-2026-118899"}),
        (nginx("1.31.9"), set()),
        (
            nginx("1.25.3.2", "openresty"),
            {"CVE-2024-33452", "CVE-2026-42533", "CVE-2026-118899"},
        ),
        (nginx("1.27.1.2", "openresty"), {"CVE-2026-42533", "CVE-2026-118899"}),
        (nginx("1.31.9.1", "openresty"), set()),
    ],
)
def test_proxy_below_a_floor_is_told_once_with_every_fault(
    binary: f.ProxyBinary, cves: set[str]
) -> None:
    findings = told(facts((10, 0), proxy=binary))
    assert [finding.code for finding in findings] == ["proxy-vulnerable"] * bool(cves)
    for finding in findings:
        assert cves == {word.strip(":") for word in finding.found.split() if word[:4] == "CVE-"}
        assert "1.31.9" in finding.expected


@pytest.mark.parametrize("package", ["1.22.1-9+deb12u1", "1.24.0-2ubuntu7.13", "1.26.3-16.el10_3"])
def test_package_of_a_distribution_is_neither_passed_nor_refused(package: str) -> None:
    version = package.partition("-")[0]
    (finding,) = told(facts((10, 0), proxy=nginx(version, package=package)))
    assert finding.code == "proxy-patches-unknown"
    assert package in finding.message


def test_package_of_nginx_itself_is_judged_by_its_version() -> None:
    (finding,) = told(facts((10, 0), proxy=nginx("1.30.3", package="1.30.3-1~noble")))
    assert finding.code == "proxy-vulnerable"


def test_version_that_cannot_be_compared_is_no_pass() -> None:
    (finding,) = told(facts((10, 0), proxy=nginx("trunk")))
    assert finding.code == "proxy-patches-unknown"


CONDITIONS: dict[str, st.SearchStrategy[Any]] = {
    "engine": st.sampled_from([(), ("<1.3.0rc3",), (">=1.4",)]),
    "driver": st.sampled_from([(), (">=580",), ("<580",)]),
    "capability": st.sampled_from([(), ("12.1",), ("9.0",)]),
    "profile": st.sampled_from([(), ("multi",), ("qwen",)]),
    "model_type": st.sampled_from([(), ("qwen3_moe",), ("llama",)]),
    "quantization": st.sampled_from([(), ("NVFP4",), ("FP8",)]),
    "settings": st.sampled_from([(), (Setting(key="a.b", above=1),)]),
}


@given(
    st.builds(When, **CONDITIONS),
    st.sampled_from([*CONDITIONS]),
    st.sampled_from([{}, {"qwen": {"a": {"b": 2}}}, {"qwen": {"a": 7}}]),
)
def test_more_conditions_never_apply_more_often(when: When, name: str, keys: Keys) -> None:
    """Leaving a condition out keeps every finding, and judging the same again says the same."""

    def findings(condition: When) -> set[str]:
        advisory = Advisory(
            id="some-fault", about="instance", severity="info", when=condition, what="it fails"
        )
        found = check_advisories(facts(), INSTALLATION, [advisory], keys)
        return {finding.subject for finding in found}

    assert findings(when) == findings(when)
    assert findings(when) <= findings(replace(when, **{name: ()}))
