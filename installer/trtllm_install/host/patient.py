"""A Host whose locks are waited for: ``--lock-timeout``."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, cast

from trtllm_install.host.protocol import Host


def patient(host: Host, seconds: float, told: Callable[[str], None]) -> Host:
    """Return ``host`` with somebody who waits up to ``seconds`` for a lock that another holds.

    ``told`` hears once who is waited for.
    """
    return cast("Host", _Patient(host, seconds, told))


class _Patient:
    """Passes on whatever a Host can do, also what it will learn."""

    def __init__(self, host: Host, seconds: float, told: Callable[[str], None]) -> None:
        self._host = host
        self._seconds = seconds
        self._told = told

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (each has the type that Host gives it)
        return getattr(self._host, name)

    def lock(self, path: str) -> AbstractContextManager[None]:
        """See Host.lock."""
        return self._host.lock(path, patience=self._seconds, told=self._told)
