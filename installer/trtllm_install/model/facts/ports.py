"""Ports, and who listens on them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that listens on a port."""

    pid: int
    name: str
    command: str
    unit: str  # systemd unit, empty where there is none
    ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PortFacts:
    """One port that the installation wants."""

    wanted_by: str
    address: str
    port: int
    free: bool
    listening: bool = False  # somebody listens, whether or not it could be named
    lingering: bool = False  # nobody listens, but old connections still close
    holder: Holder | None = None
    user: str = ""  # of the socket that listens, where its process could not be named
