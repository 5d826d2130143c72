"""Asks the running proxy how its models do: tokens a second, time to the first token."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError

_TIMEOUT_S = 2.0
_OK = 200
_RECENT: Final = 6  # periods of the history: a minute
_BUCKET: Final = re.compile(
    r'^trtllm_proxy_first_chunk_seconds_bucket\{model="((?:[^"\\]|\\.)*)",le="([^"]+)"\} (\S+)$',
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What clients got of one model."""

    tokens_per_s: float  # mean of the last minute
    first_token_p50_s: float | None = None  # since the proxy began; None without a request
    first_token_p99_s: float | None = None


def read_traffic(host: Host) -> dict[str, Traffic]:
    """Return model id → traffic. Raises HostError when no proxy answers as this version does."""
    history = json.loads(_ask(host, "/-/history"))
    buckets = _buckets(_ask(host, "/metrics").decode(errors="replace"))
    try:
        period_s = float(history["period_s"])
        return {
            model: Traffic(
                tokens_per_s=sum(figures["tokens"][-_RECENT:]) / (_RECENT * period_s),
                first_token_p50_s=quantile(buckets.get(model, ()), 0.5),
                first_token_p99_s=quantile(buckets.get(model, ()), 0.99),
            )
            for model, figures in history["models"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise HostError(
            "cannot read the history of the proxy: it is not what this version writes",
            hint="sudo trtllm-install restart proxy",
        ) from error


def quantile(buckets: tuple[tuple[float, float], ...], part: float) -> float | None:
    """Return a quantile of a cumulative histogram, as Prometheus' ``histogram_quantile`` does.

    ``buckets`` are (upper bound, count up to it), ascending, the last bound infinite. None
    without an observation. What lies beyond the last finite bound is told as that bound.
    """
    total = buckets[-1][1] if buckets else 0
    if total <= 0:
        return None
    rank = part * total
    for (lower, before), (upper, count) in pairwise(((0.0, 0.0), *buckets)):
        if count >= rank:
            if upper == float("inf"):
                return lower
            share = (rank - before) / (count - before) if count > before else 1.0
            return lower + (upper - lower) * share
    return None


def _buckets(text: str) -> Mapping[str, tuple[tuple[float, float], ...]]:
    found: dict[str, list[tuple[float, float]]] = {}
    for model, bound, count in _lines(text):
        found.setdefault(model, []).append((bound, count))
    return {model: tuple(sorted(pairs)) for model, pairs in found.items()}


def _lines(text: str) -> Iterator[tuple[str, float, float]]:
    for model, bound, count in _BUCKET.findall(text):
        name = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], model)
        yield name, float(bound.replace("+Inf", "inf")), float(count)


def _ask(host: Host, path: str) -> bytes:
    answer = host.http("GET", path, timeout=_TIMEOUT_S, unix_socket=layout.PROXY_ADMIN_SOCKET)
    if answer.status != _OK:
        raise HostError(
            f"cannot get {path}: the proxy answered {answer.status}",
            hint="sudo trtllm-install logs proxy",
        )
    return answer.body
