"""A fake host at whose n-th call something goes wrong; what goes wrong is chosen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fakes.fake_host import FakeHost, KilledError
from trtllm_install.model.errors import HostError

WRITES = frozenset({"write", "make_directory", "make_link", "remove", "remove_tree"})
ACTS = WRITES | {"run", "http"}

# What may happen at a call: before or after it has taken effect.
FAULTS = ("refused", "refused after", "interrupted", "killed before", "killed after", "read-only")


class FaultyHost:
    """Every method of the host within, with one fault at the n-th act (from 1).

    "refused" stands for whatever the machine says once: no space, no permission, a
    systemctl that fails. "read-only" refuses every write from then on, the undoing too.
    """

    def __init__(self, host: FakeHost, fault: str = "", at: int = 0) -> None:
        self.host = host
        self.fault = fault
        self.at = at
        self.acts: list[str] = []
        self.is_shielded = False

    @contextmanager
    def shielded(self, **_: object) -> Iterator[None]:
        """Hold off the interrupt, as the real one does."""
        self.is_shielded = True
        yield
        self.is_shielded = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.host, name)
        if name not in ACTS:
            return method

        def act(*args: Any, **kwargs: Any) -> Any:
            self.acts.append(f"{name} {args[0]}")
            number = len(self.acts)
            if self.fault == "read-only" and number >= self.at and name in WRITES:
                raise HostError(f"cannot {name}: read-only file system", hint="remount it")
            if number != self.at:
                return method(*args, **kwargs)
            if self.fault == "refused":
                raise HostError(f"cannot {name}: no space left on device", hint="free some space")
            if self.fault == "interrupted" and not self.is_shielded:
                raise KeyboardInterrupt
            if self.fault == "killed before":
                raise KilledError(self.acts[-1])
            answer = method(*args, **kwargs)
            if self.fault == "refused after":
                raise HostError(f"cannot {name}: input/output error", hint="dmesg")
            if self.fault == "killed after":
                raise KilledError(self.acts[-1])
            return answer

        setattr(self, name, act)
        return act
