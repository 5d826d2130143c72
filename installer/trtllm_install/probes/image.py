"""Observes an image: what lies in its tree. Nothing of it is run, and no machine is looked at."""

from collections.abc import Iterator
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Facts, ImageFacts, Unknown, WeightsFacts
from trtllm_install.model.installation import Installation
from trtllm_install.probes.engine import probe_engine
from trtllm_install.probes.gpu import simulated_gpus
from trtllm_install.probes.keys import probe_keyless, probe_keys
from trtllm_install.probes.proxy_binary import probe_proxy_binary
from trtllm_install.probes.supervisor import probe_supervisor
from trtllm_install.probes.system import probe_system
from trtllm_install.probes.weights import probe_weights

_LATER: Final = Unknown(reason="an image has none")


def observe_image(host: Host, installation: Installation, *, engine_path: str | None) -> Facts:
    """Return the facts of an image; whatever the machine decides is left out.

    Weights that are not in the tree may be mounted into the host, and are left out too.
    """
    seen = dict(_weights(host, installation))
    absent = tuple(n for n, w in seen.items() if isinstance(w, WeightsFacts) and not w.present)
    return Facts(
        root=host.is_root(),
        gpu=simulated_gpus(installation) if installation.simulate else _LATER,
        weights=tuple((n, w) for n, w in seen.items() if n not in absent),
        ports=(),
        proxy=probe_proxy_binary(host) if installation.proxy else None,
        supervisor=probe_supervisor(host, f"{layout.TOOL}/bin/supervisord"),
        engine=probe_engine(host, engine_path),
        system=probe_system(host, simulate=installation.simulate),
        keys=probe_keys(host),
        keyless=installation.proxy is not None and probe_keyless(host),
        image=ImageFacts(folder=host.image(), tool=_has_tool(host), weights=absent),
    )


def _weights(
    host: Host, installation: Installation
) -> Iterator[tuple[str, WeightsFacts | Unknown]]:
    for instance in installation.instances:
        yield instance.name, probe_weights(host, instance)


def _has_tool(host: Host) -> bool:
    try:
        return host.look(host.resolve(layout.supervise())) is not None
    except HostError:
        return False
