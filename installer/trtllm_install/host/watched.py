"""A Host that tells somebody of every command that it runs and of the first thing it writes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from trtllm_install.host.protocol import Completed, Host
from trtllm_install.model.errors import HostError

# command, exit code (None: not started, or no end within its time), seconds, what it said
Ran = Callable[[Sequence[str], int | None, float, str], None]
_WRITES = ("write", "make_directory", "make_link", "remove", "remove_tree")


def watched(host: Host, *, ran: Ran, writes: Callable[[], None]) -> Host:
    """Return ``host`` with somebody who watches: commands that ended, writes before they are made.

    Neither may raise. ``ran`` hears the last lines of a command that failed; arguments are
    passed as they are, so that masking them is the listener's duty.
    """
    return cast("Host", _Watched(host, ran, writes))


class _Watched:
    """Passes on whatever a Host can do, also what it will learn, without a list of it here."""

    def __init__(self, host: Host, ran: Ran, writes: Callable[[], None]) -> None:
        self._host = host
        self._ran = ran
        self._writes = writes

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (each has the type that Host gives it)
        if name in _WRITES:
            self._writes()
        return getattr(self._host, name)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """See Host.run."""
        begun = self._host.monotonic()
        try:
            ended = self._host.run(argv, timeout=timeout, environment=environment, stdin=stdin)
        except HostError as error:
            self._ran(argv, None, self._host.monotonic() - begun, error.message)
            raise
        said = "" if ended.code == 0 else (ended.stderr or ended.stdout)
        tail = "\n".join(said.rstrip().splitlines()[-20:])
        self._ran(argv, ended.code, self._host.monotonic() - begun, tail)
        return ended
