"""A machine on which one thing goes wrong: a system call, a command, a request, a service."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.walked import ACTS, HOST
from trtllm_install.host.protocol import Completed
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError

_SYSCALLS = (
    *("open", "write", "fchown", "fchmod", "utime", "fsync", "rename"),
    *("mkdir", "symlink", "lchown", "unlink", "rmdir"),
)
AFTER = "after the commit"  # what every act is called from then on
_OUTSIDE = ("run", "http")
ERRNO = {"no space": errno.ENOSPC, "no permission": errno.EACCES, "read-only": errno.EROFS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One fault: what goes wrong, and at which act (from 1) or service."""

    fault: str
    act: int = 0
    syscall: int = 0  # of those that the act makes, from 1
    service: str = ""


class Refusing:
    """The system calls that change a disk, of this process; one of them is refused."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self.armed = False
        self.made = 0  # while armed
        self.broken = False
        for name in _SYSCALLS:
            setattr(os, name, self._wrapped(name, getattr(os, name)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not self.armed or (name == "open" and not args[1] & os.O_CREAT):
                return real(*args, **kwargs)
            self.made += 1
            if self.broken or self.made == self.point.syscall:
                self.broken = self.point.fault == "read-only"
                number = ERRNO[self.point.fault]
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        return call


class Faulty:
    """The real machine with one fault; ``told`` is what it was, once it has happened."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self.acts: list[tuple[str, int]] = []  # and how many system calls each made
        self.calls = Refusing(point)
        self.told = ""
        self.is_starting = False  # everything is written, and services begin

    def read(self, path: str, **kwargs: Any) -> bytes | None:
        """Let a launcher say that it failed, until somebody acts on it."""
        found = HOST.read(path, **kwargs)
        fails = self.point.service and path == layout.live_state(self.point.service)
        if not fails or not found or not self.is_starting or self.told == "acted on":
            return found
        self.told = f"{self.point.service} failed"
        return json.dumps({"state": "failed", "exit": {"code": 70, "reason": "let down"}}).encode()

    def __getattr__(self, name: str) -> Any:
        method = getattr(HOST, name)
        if name not in ACTS:
            return method

        def act(*args: Any, **kwargs: Any) -> Any:
            self.acts.append((name, 0))
            if self.point.service and self.told:
                self.told = "acted on"
            self.is_starting |= args[0] == layout.RECEIPT
            due = len(self.acts) == self.point.act
            if name in _OUTSIDE:
                return self._ask(due, name, method, args, kwargs)
            self.calls.made = 0
            self.calls.armed = due or self.calls.broken or not self.point.fault
            if due:
                self.told = f"{name} {args[0]}"
            try:
                return method(*args, **kwargs)
            finally:
                self.calls.armed = False
                self.acts[-1] = (name, self.calls.made)
                if args[0] == f"{layout.JOURNAL}/committed":
                    self.acts.append((AFTER, 0))

        return act

    def _ask(self, due: bool, name: str, method: Any, args: Any, kwargs: Any) -> Any:
        if not due:
            return method(*args, **kwargs)
        self.told = f"{name} {args[0]}"
        if self.point.fault == "command fails":
            return Completed(argv=tuple(args[0]), code=1, stdout="", stderr="let down\n")
        if self.point.fault == "command hangs":
            method(*args, **kwargs)
        raise HostError(f"cannot {name} {args[0]}: no answer", hint="a test let it down")
