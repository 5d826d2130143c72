"""The supervisor of an image: it runs nothing, and says what shall run once it is booted."""

from collections.abc import Sequence

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts.units import UnitFacts
from trtllm_install.model.tree import ServiceAction, ServiceChange

# What `systemctl enable` makes of the [Install] section of trtllm.target.
_WANTS = f"{layout.UNITS}/multi-user.target.wants"
ENABLED = f"{_WANTS}/{layout.TARGET}"


class ImageSupervisor:
    """A link that starts everything at boot; under supervisord whoever boots it starts that."""

    def __init__(self, host: Host, name: str) -> None:
        self.name = name
        self._host = host

    def running(self, services: Sequence[str]) -> frozenset[str]:  # noqa: ARG002 (Supervisor's)
        """Return none: an image runs nothing."""
        return frozenset()

    def enabled(self) -> bool:
        """See Supervisor.enabled; only systemd has something to enable."""
        return self.name != "systemd" or self._host.look(ENABLED) is not None

    def describe(self, services: Sequence[str]) -> tuple[UnitFacts, ...]:  # noqa: ARG002
        """Return what is enabled at boot; that nothing runs is as it has to be."""
        if self.name != "systemd":
            return ()
        target = UnitFacts(
            name=layout.TARGET,
            unit=layout.TARGET,
            load="loaded",
            active="active",
            runs=True,
            enabled="enabled" if self.enabled() else "disabled",
        )
        return (target,)

    def activate(self) -> None:
        """See Supervisor.activate."""
        if self.enabled():
            return
        if self._host.look(self._host.resolve(_WANTS)) is None:
            self._host.make_directory(_WANTS, mode=0o755, owner="root")
        self._host.make_link(ENABLED, f"{layout.UNITS}/{layout.TARGET}")

    def reread(self) -> None:
        """Do nothing: nobody has read anything yet."""

    def resume(self) -> None:
        """See Supervisor.resume."""
        self.activate()

    def disable(self) -> None:
        """See Supervisor.disable; as systemctl does, the folder goes once it is empty."""
        if self.name != "systemd" or self._host.look(ENABLED) is None:
            return
        self._host.remove(ENABLED)
        if not self._host.names_in(_WANTS):
            self._host.remove(_WANTS)

    def deactivate(self, services: Sequence[str]) -> None:  # noqa: ARG002
        """See Supervisor.deactivate."""
        self.disable()

    def carry_out(self, change: ServiceChange) -> None:
        """Enable what starts at boot; raises HostError for every other order."""
        if change.action is not ServiceAction.ENABLE:
            raise HostError(
                f"cannot {change.action.value} {change.name} in {self._host.image()}: "
                "nothing runs in an image",
                hint="boot the image",
            )
        self.activate()

    def stop_all(self, services: Sequence[str]) -> None:
        """Do nothing: nothing runs."""

    def log(self, service: str, *, lines: int) -> str:  # noqa: ARG002
        """Return nothing: no service has said anything yet."""
        return ""

    def log_command(self, service: str, *, lines: int = 100) -> tuple[str, ...]:  # noqa: ARG002
        """See Supervisor.log_command."""
        return ("trtllm-install", "logs", service)
