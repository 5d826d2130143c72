"""Errors that reach the operator, each with the command to run next and an exit code."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What ``trtllm-install`` ends with; published and stable."""

    DONE = 0
    INTERNAL = 1
    USAGE = 2
    PREFLIGHT_FAILED = 3
    UNDONE = 4
    NOT_UNDONE = 5
    GATE_FAILED = 6
    LOCKED = 7
    NEEDS_ROOT = 8
    EDITS_KEPT = 9
    CHANGES_PENDING = 10
    INTERRUPTED = 130


class InstallError(Exception):
    """An expected failure: ``cannot <verb> <thing>: <cause>`` and what to run next."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ConfigError(InstallError):
    """The command line, the site file or a profile cannot be used."""

    exit_code = ExitCode.USAGE


class PreflightFailed(InstallError):
    """The host cannot run what is wanted; nothing was written."""

    exit_code = ExitCode.PREFLIGHT_FAILED


class EditsKept(InstallError):
    """Edited files are in the way, and the operator asked to be told instead."""

    exit_code = ExitCode.EDITS_KEPT


class ApplyFailed(InstallError):
    """A change failed, and everything was undone."""

    exit_code = ExitCode.UNDONE


class NotUndone(InstallError):
    """A change failed, and so did undoing; the hint lists the steps left."""

    exit_code = ExitCode.NOT_UNDONE


class GateFailed(InstallError):
    """Something did not become healthy, or gave no proof; an install was undone for it."""

    exit_code = ExitCode.GATE_FAILED

    def __init__(self, message: str, *, hint: str, installed: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.installed = installed  # what was written stays: --no-rollback


class Locked(InstallError):
    """Another run holds the lock."""

    exit_code = ExitCode.LOCKED


class NeedsRoot(InstallError):
    """The verb writes to the host and the caller is not root."""

    exit_code = ExitCode.NEEDS_ROOT


class Interrupted(InstallError):
    """The operator stopped the run: what was written is undone, or stays, as it says."""

    exit_code = ExitCode.INTERRUPTED

    def __init__(self, message: str, *, hint: str, installed: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.installed = installed  # everything is written, and only the wait was cut short


class HostError(InstallError):
    """The machine refused: a file could not be written, a command failed."""


class UntrustedServer(HostError):
    """A server does not prove who it is; ``cause`` is why, in OpenSSL's words."""

    def __init__(self, message: str, *, hint: str, cause: str) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause
