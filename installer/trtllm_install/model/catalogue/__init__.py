"""The catalogue of every finding: code, severity, title, causes. Codes are public and stable.

One module per area. ``docs/reference/findings.md`` has a section for each code, in this
order; a test compares the two. Causes stand before what follows from them.
"""

from typing import Final

from trtllm_install.model.catalogue import (
    advisories,
    gpu,
    gpu_state,
    memory,
    network,
    programs,
    reading,
    system,
    weights,
)
from trtllm_install.model.catalogue.kind import Kind

__all__ = ["AREAS", "AREA_OF", "CATALOGUE", "Kind"]

AREAS: Final[dict[str, dict[str, Kind]]] = {
    "reading": reading.KINDS,
    "gpu": gpu.KINDS | gpu_state.KINDS,
    "weights": weights.KINDS,
    "memory": memory.KINDS,
    "network": network.KINDS,
    "programs": programs.KINDS,
    "system": system.KINDS,
    "advisories": advisories.KINDS,
}
CATALOGUE: Final[dict[str, Kind]] = {c: k for kinds in AREAS.values() for c, k in kinds.items()}
AREA_OF: Final[dict[str, str]] = {c: area for area, kinds in AREAS.items() for c in kinds}
