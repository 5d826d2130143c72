"""How services stand with their supervisor, and what their launchers say of themselves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitFacts:
    """A unit of systemd or a program of supervisord, in the supervisor's own words."""

    name: str  # ours: "qwen"; of what holds them together, the supervisor's
    unit: str
    load: str  # "loaded", "not-found", "masked", ...
    path: str = ""  # file it was read from
    active: str
    runs: bool
    enabled: str = ""  # at boot; empty where that is not a property of it
    needs_reread: bool = False  # its files changed since the supervisor read them
    drop_ins: tuple[str, ...] = ()
    pid: int | None = None  # of the launcher


@dataclass(frozen=True, slots=True, kw_only=True)
class LauncherFacts:
    """A launcher that runs, as its state file tells."""

    name: str
    pid: int
    spec: str  # SHA-256 of the launch spec that it read
    started_at: float  # Unix time
    port: int | None
