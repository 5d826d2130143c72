"""What is known to go wrong with certain versions, GPUs and models, and what helps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

About = Literal["instance", "host", "proxy"]
# severity -> code of the catalogue
CODES: Mapping[str, str] = {
    "error": "known-failure",
    "warning": "known-fault",
    "info": "known-limit",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A condition on one key of the engine's YAML; what is absent has the value ``default``."""

    key: str  # "kv_cache_config.host_cache_size"
    default: object = None
    equals: object = None
    differs: object = None
    above: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """What has to be so; an empty part is no condition. Of several values in one, any will do."""

    engine: tuple[str, ...] = ()  # "<1.3.0rc3"
    driver: tuple[str, ...] = ()
    toolkit: tuple[str, ...] = ()  # CUDA toolkit
    nginx: tuple[str, ...] = ()
    openresty: tuple[str, ...] = ()
    capability: tuple[str, ...] = ()  # "12.0"
    profile: tuple[str, ...] = ()
    model_type: tuple[str, ...] = ()  # of config.json
    quantization: tuple[str, ...] = ()
    backend: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One entry of ``configs/advisories.yaml``."""

    id: str
    about: About
    severity: Literal["error", "warning", "info"]
    when: When
    what: str  # goes on after the subject: "may stop with ..."
    expected: str = ""
    remedy: str = ""
    sources: tuple[str, ...] = ()
    change: Mapping[str, object] = field(default_factory=dict)  # of the engine's YAML
