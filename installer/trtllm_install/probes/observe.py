"""Observes the whole host: every probe once, no opinion."""

import posixpath
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, TypeVar

from trtllm_install.host.protocol import Host
from trtllm_install.model.facts import (
    NOT_ASKED,
    DriverProblem,
    Facts,
    GpuFacts,
    Unknown,
    WeightsFacts,
)
from trtllm_install.model.installation import Installation
from trtllm_install.model.scope import EVERY_PART
from trtllm_install.probes.engine import probe_engine
from trtllm_install.probes.gpu import probe_gpus, simulated_gpus
from trtllm_install.probes.gpu_platform import probe_platform
from trtllm_install.probes.host import probe_host
from trtllm_install.probes.image import observe_image
from trtllm_install.probes.keys import probe_keyless, probe_keys
from trtllm_install.probes.peers import probe_peers
from trtllm_install.probes.ports import probe_ports
from trtllm_install.probes.proxy_binary import probe_proxy_binary
from trtllm_install.probes.supervisor import probe_supervisor
from trtllm_install.probes.system import probe_system
from trtllm_install.probes.tls import probe_authority, probe_tls
from trtllm_install.probes.weights import probe_weights

Fact = TypeVar("Fact")
_FOR_MODELS: Final = frozenset({"gpu", "engine", "platform"})  # a front tier has none
SUPERVISORD: Final = posixpath.join(posixpath.dirname(sys.executable), "supervisord")


def observe(
    host: Host,
    installation: Installation,
    *,
    engine_path: str | None = None,
    supervisord: str = SUPERVISORD,
    python: str = sys.executable,
    parts: frozenset[str] = EVERY_PART,
) -> Facts:
    """Return all facts that judging ``installation`` needs.

    Reads only, and never raises HostError: a part that cannot be read is Unknown with
    its reason. ``engine_path`` is a ``trtllm-serve`` elsewhere than in the layout,
    ``python`` one that can import pynvml. Of ``parts``, fields of Facts, those that are not
    named are not looked at. Takes 10 s more at most when NVML hangs.
    """
    if host.image():
        return observe_image(host, installation, engine_path=engine_path)
    if not installation.instances:
        parts -= _FOR_MODELS
    simulate = installation.simulate
    wanted = [(i.name, i.host, i.port) for i in installation.instances]
    if installation.proxy:
        wanted.append(("proxy", installation.proxy.host, installation.proxy.port))

    proxy = installation.proxy
    tls = proxy.tls if proxy else None

    def seen(part: str, probe: Callable[[], Fact]) -> Fact | Unknown:
        return probe() if part in parts else NOT_ASKED

    return Facts(
        root=host.is_root(),
        gpu=seen("gpu", lambda: _gpus(host, installation, python)),
        weights=observe_weights(host, installation)
        if "weights" in parts
        else tuple((i.name, NOT_ASKED) for i in installation.instances),
        ports=probe_ports(host, wanted)
        if "ports" in parts
        else tuple((name, NOT_ASKED) for name, _, _ in wanted),
        proxy=seen("proxy", lambda: probe_proxy_binary(host)) if installation.proxy else None,
        supervisor=seen("supervisor", lambda: probe_supervisor(host, supervisord)),
        engine=seen("engine", lambda: probe_engine(host, engine_path)),
        system=seen("system", lambda: probe_system(host, simulate=simulate)),
        host=probe_host(host, engine_path) if "host" in parts else None,
        platform=None if simulate or "platform" not in parts else probe_platform(host),
        keys="keys" in parts and probe_keys(host),
        keyless="keys" in parts and installation.proxy is not None and probe_keyless(host),
        tls=probe_tls(host, tls) if tls and "tls" in parts else None,
        peers=probe_peers(host, proxy.peers, proxy.peer_authority)
        if proxy and "peers" in parts
        else (),
        authority=probe_authority(host, proxy.trusted_authority)
        if proxy and proxy.trusted_authority and "peers" in parts
        else None,
    )


def observe_weights(
    host: Host, installation: Installation
) -> tuple[tuple[str, WeightsFacts | Unknown], ...]:
    """Return what lies in each instance's folder of weights; each folder is read once."""
    return tuple(_weights(host, installation))


def _weights(
    host: Host, installation: Installation
) -> Iterator[tuple[str, WeightsFacts | Unknown]]:
    read: dict[str, WeightsFacts | Unknown] = {}
    for instance in installation.instances:
        if instance.weights not in read:
            read[instance.weights] = probe_weights(host, instance)
        seen = read[instance.weights]
        yield (
            instance.name,
            replace(seen, instance=instance.name) if isinstance(seen, WeightsFacts) else seen,
        )


def _gpus(
    host: Host, installation: Installation, python: str
) -> GpuFacts | DriverProblem | Unknown:
    if installation.simulate:
        return simulated_gpus(installation)
    return probe_gpus(host, python=python)
