"""What the proxy counts, read for ``status``."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.fake_host import FakeHost
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.proxy.traffic import quantile, read_traffic

METRICS = """# TYPE trtllm_proxy_first_chunk_seconds histogram
trtllm_proxy_first_chunk_seconds_bucket{model="a/b",le="0.1"} 5
trtllm_proxy_first_chunk_seconds_bucket{model="a/b",le="1"} 10
trtllm_proxy_first_chunk_seconds_bucket{model="a/b",le="+Inf"} 10
"""


def proxy(metrics: str, history: object) -> FakeHost:
    host = FakeHost()
    for path, body in (("/metrics", metrics), ("/-/history", json.dumps(history))):
        answer = Answer(status=200, body=body.encode())
        host.answer_http("GET", path, answer, unix_socket=layout.PROXY_ADMIN_SOCKET)
    return host


def test_the_last_minute_and_the_quantiles() -> None:
    history = {"period_s": 10, "models": {"a/b": {"tokens": [999, *[60] * 6]}}}
    traffic = read_traffic(proxy(METRICS, history))["a/b"]
    assert traffic.tokens_per_s == 6.0
    assert traffic.first_token_p50_s == pytest.approx(0.1)
    assert traffic.first_token_p99_s == pytest.approx(0.982)


def test_a_model_that_nobody_asked_has_no_quantiles() -> None:
    traffic = read_traffic(proxy("", {"period_s": 10, "models": {"x": {"tokens": [0] * 90}}}))
    assert (traffic["x"].tokens_per_s, traffic["x"].first_token_p50_s) == (0.0, None)


@pytest.mark.parametrize("history", [[], {}, {"period_s": 0, "models": {"x": {"tokens": [1]}}}])
def test_another_version_is_told_and_not_guessed_at(history: object) -> None:
    with pytest.raises(HostError, match="not what this version writes"):
        read_traffic(proxy(METRICS, history))


@settings(max_examples=50)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.floats(0.01, 0.99))
def test_a_quantile_lies_within_the_bounds_and_never_falls(counts: list[int], part: float) -> None:
    bounds = [*(2.0**n for n in range(len(counts) - 1)), float("inf")]
    sums = [float(sum(counts[: n + 1])) for n in range(len(counts))]
    buckets = tuple(zip(bounds, sums, strict=True))
    found = quantile(buckets, part)
    if not sums[-1]:
        assert found is None
        return
    assert found is not None
    assert 0 <= found <= max([0.0, *bounds[:-1]])
    assert found <= (quantile(buckets, 0.99) or 0.0) + 1e-9
