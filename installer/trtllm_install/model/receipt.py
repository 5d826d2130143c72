"""What is installed: written last, read first."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trtllm_install.model.tree import Fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedFile:
    """A file as we shipped it, which need not be as it is now."""

    digest: str
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Everything that uninstall may remove, and what the services run with."""

    generation: int  # number of the whole that is installed
    profile: str
    supervisor: str
    simulate: bool
    weights_dir: str
    tool_version: str
    endpoint: str  # URL that clients of this host use
    models: tuple[str, ...]  # ids that clients send, in start order
    order: tuple[str, ...]  # services in start order
    files: Mapping[str, OwnedFile] = field(default_factory=dict)
    directories: tuple[str, ...] = ()  # that we made, parents first
    links: Mapping[str, str] = field(default_factory=dict)
    links_before: Mapping[str, str] = field(default_factory=dict)  # what ours took the place of
    accounts: tuple[str, ...] = ()  # that we made
    packages: tuple[str, ...] = ()  # of the distribution, that we brought
    services: Mapping[str, Fingerprint] = field(default_factory=dict)
    tree: str = ""  # hash of everything that was wanted; equal = the same generation
    pins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by --pin-memory
    started: bool = True  # False: written with --no-start, and nothing of it had ever run
    origin: str = ""  # hash of all that the whole was rendered from, this tool too
    wish: Mapping[str, str] = field(default_factory=dict)  # what was asked, and came of it
