"""Lists every file of every checkpoint, to be hashed."""

from collections.abc import Iterator

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Facts, WeightsFacts
from trtllm_install.model.hashes import WeightFile
from trtllm_install.probes.download import hub_hash


def probe_weight_files(host: Host, facts: Facts) -> tuple[WeightFile, ...]:
    """Return the regular files of each folder, hidden ones left out, links followed.

    A file that two instances share is there twice.
    """
    seen = [weights for _, weights in facts.weights if isinstance(weights, WeightsFacts)]
    return tuple(file for weights in seen for file in _files(host, weights))


def _files(host: Host, weights: WeightsFacts) -> Iterator[WeightFile]:
    folder = weights.folder
    for name in host.names_in(folder):
        real = host.resolve(f"{folder}/{name}")
        try:
            identity = None if name.startswith(".") else host.identity(real)
        except HostError:
            continue  # the headers' check has told about it
        if identity is not None:
            yield WeightFile(
                instance=weights.instance,
                folder=folder,
                name=name,
                path=real,
                identity=identity,
                hub=hub_hash(host, folder, name, real),
            )
