"""What systemd and supervisord have in common for us."""

from collections.abc import Sequence
from typing import Protocol

from trtllm_install.model.facts.units import UnitFacts
from trtllm_install.model.tree import ServiceChange


class Supervisor(Protocol):
    """Runs the launchers. Names are ours ("qwen", "proxy"), never unit names.

    Methods that act return as soon as the supervisor has taken the order; whether a
    service became healthy is its gate's to say. All raise HostError.
    """

    name: str

    def running(self, services: Sequence[str]) -> frozenset[str]:
        """Return those whose launcher runs or is about to."""

    def enabled(self) -> bool:
        """Tell whether what we wrote is in force: at boot, or by a daemon that is there."""

    def describe(self, services: Sequence[str]) -> tuple[UnitFacts, ...]:
        """Return each service, and what holds them together, in the supervisor's own words."""

    def activate(self) -> None:
        """Take note of new configuration, start all of it, also at boot from now on."""

    def reread(self) -> None:
        """Take note of configuration that changed or is gone; nothing is started."""

    def resume(self) -> None:
        """Be in force again, also at boot, as before ``disable``; starts no service by intent."""

    def disable(self) -> None:
        """Be no longer in force once everything is stopped; twice is fine."""

    def deactivate(self, services: Sequence[str]) -> None:
        """Stop everything of ours, wait until it has ended, and do not start it at boot."""

    def carry_out(self, change: ServiceChange) -> None:
        """Stop, start, restart or reload one service."""

    def stop_all(self, services: Sequence[str]) -> None:
        """Stop everything and wait until it has ended."""

    def log(self, service: str, *, lines: int) -> str:
        """Return the last lines that the service wrote."""

    def log_command(self, service: str, *, lines: int = 100) -> tuple[str, ...]:
        """Return the command that shows the last lines of a service and follows its log."""
