"""What the operator asked for, as values."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line, read; None = not given."""

    profile: str | None = None
    site: str | None = None
    weights_dir: str | None = None
    engine: str | None = None  # version of one that was added
    engine_path: str | None = None
    init: Literal["auto", "systemd", "supervisord"] = "auto"
    simulate: bool = False
    start: bool = True
    smoke: bool = False
    rollback: bool = True  # undo everything when a service or a proof fails
    packages: bool = True  # of the distribution, for what lacks
    package_folder: str = ""  # .deb files of a bundle; empty = the distribution's own archive
    accept: tuple[str, ...] = ()
    only: tuple[str, ...] = ()  # codes and areas; () = every check
    deep: bool = False
    on_conflict: Literal["keep", "restore", "replace", "fail"] = "keep"
    timeout_s: float = 3600.0
    memory: Literal["keep", "pin", "unpin"] = "keep"  # absolute KV caches, kept from run to run
