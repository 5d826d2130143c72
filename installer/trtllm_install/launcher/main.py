"""``trtllm-supervise NAME``: the main process of every unit, engine or proxy."""

import contextlib
import errno
import os
import signal
import sys

from trtllm_install.launcher.child import adopt_orphans, end_with_parent
from trtllm_install.launcher.history import History, parse_delays
from trtllm_install.launcher.lifecycle import supervise
from trtllm_install.launcher.loop import Loop
from trtllm_install.launcher.notify import Notifier
from trtllm_install.launcher.record import Record
from trtllm_install.launcher.station import Station, log
from trtllm_install.model import exits, layout
from trtllm_install.model.launchspec import LaunchSpec

_USAGE = """\
usage: trtllm-supervise [--spec-dir DIR] NAME

Runs the service NAME as DIR/NAME.json describes it: waits for its turn, starts it,
reports it ready after one real token, watches it, and ends its whole process tree.
systemd and supervisord start it; its state is in <run_dir>/NAME.json.

  --spec-dir DIR   folder of launch specs (default: /etc/trtllm/instances)
  --help           show this text

environment:
  TRTLLM_BACKOFF   delays before a start after crashes, in s (default: 5,15,45,120,300)

exit codes:
"""
_HINT = "run `sudo trtllm-install`"


class Refusal(Exception):
    """The launcher cannot begin: exit code and cause."""

    def __init__(self, code: int, message: str, *, hint: str = _HINT) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


def main(argv: list[str] | None = None) -> int:
    """Supervise one service until its end; the exit codes are in model/exits.py."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments in (["--help"], ["-h"]):
        sys.stdout.write(render_help())
        return 0
    environment = dict(os.environ)
    notifier = Notifier(environment)
    spec_dir = name = ""
    try:
        spec_dir, name = parse_arguments(arguments)
        spec, text = read_spec(spec_dir, name)
        make_folders(spec)
    except Refusal as refusal:
        log(f"error: {refusal}")
        log(f"hint: {refusal.hint}")
        notifier.status(f"failed (exit {refusal.code}: {refusal}; {refusal.hint})")
        if name:
            from trtllm_install.launcher import refused  # noqa: PLC0415 (rarely needed)

            refused.leave_word(spec_dir, name, refusal.code, str(refusal), refusal.hint)
        return refusal.code
    adopt_orphans()
    end_with_parent(signal.SIGTERM)
    history = History(spec.state_dir)
    station = Station(
        spec,
        loop=Loop(),
        notifier=notifier,
        record=Record(spec, spec_hash=hash_text(text), history=history),
        history=history,
    )
    delays = parse_delays(environment.get("TRTLLM_BACKOFF", ""))
    return supervise(station, environment=environment, delays=delays)


def render_help() -> str:
    """Return the text of ``--help``."""
    rows = [
        f"  {code:>2}   {meaning}{'' if code in exits.NO_RESTART or not code else '; restarted'}\n"
        for code, meaning in sorted(exits.MEANING.items())
    ]
    return _USAGE + "".join(rows)


def parse_arguments(arguments: list[str]) -> tuple[str, str]:
    """Return the folder of specs and the service's name; Refusal 64 for anything else."""
    spec_dir = layout.INSTANCES
    rest = list(arguments)
    while rest and rest[0].startswith("-"):
        option, equals, value = rest.pop(0).partition("=")
        if option != "--spec-dir":
            raise Refusal(exits.USAGE, f"cannot use option {option}: not known", hint=_usage())
        if not equals:
            value = rest.pop(0) if rest else ""
        if not value:
            raise Refusal(exits.USAGE, "cannot use option --spec-dir: no folder", hint=_usage())
        spec_dir = value
    if len(rest) != 1 or not rest[0]:
        cause = f"expected one name, found {len(rest)}"
        raise Refusal(exits.USAGE, f"cannot choose a service: {cause}", hint=_usage())
    return spec_dir, rest[0]


def read_spec(spec_dir: str, name: str) -> tuple[LaunchSpec, bytes]:
    """Return the spec and the bytes it was read from; Refusal 78 or 77 if it cannot be used."""
    path = f"{spec_dir}/{name}.json"
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs 2 MB of memory)
            content = file.read()
        spec = LaunchSpec.from_json(content.decode())
    except PermissionError as error:
        raise Refusal(exits.PERMISSION, f"cannot read {path}: permission denied") from error
    except OSError as error:
        cause = os.strerror(error.errno or 0).lower()
        raise Refusal(exits.CONFIGURATION, f"cannot read {path}: {cause}") from error
    except ValueError as error:
        raise Refusal(exits.CONFIGURATION, f"cannot use {path}: {error}") from error
    if spec.name != name:
        message = f"cannot use {path}: name: expected {name}, found {spec.name}"
        raise Refusal(exits.CONFIGURATION, message)
    return spec, content


def hash_text(text: bytes) -> str:
    """Return the SHA-256 of ``text`` in hex.

    ``hashlib`` loads OpenSSL, 3.7 MB for each service (measured, Python 3.11), so the
    interpreter's own implementation, hashlib's fallback, is asked first.
    """
    for module in ("_sha2", "_sha256", "hashlib"):  # Python >= 3.12, <= 3.11, whatever comes
        with contextlib.suppress(ImportError):
            return str(__import__(module).sha256(text).hexdigest())
    raise AssertionError("hashlib is part of the standard library")


def make_folders(spec: LaunchSpec) -> None:
    """Make the folders for state if they are missing; Refusal 77 or 78 if they cannot be written.

    A full disk is no reason: a service that serves without its records is better than none.
    """
    for folder in (spec.run_dir, spec.state_dir):
        probe = f"{folder}/.{spec.name}.{os.getpid()}.tmp"
        try:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 (pathlib costs 2 MB of memory)
            os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.unlink(probe)  # noqa: PTH108 (as above)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                continue
            denied = error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}
            cause = os.strerror(error.errno or 0).lower()
            raise Refusal(
                exits.PERMISSION if denied else exits.CONFIGURATION,
                f"cannot write to {folder}: {cause}",
            ) from error


def _usage() -> str:
    return "run `trtllm-supervise --help`"


if __name__ == "__main__":
    sys.exit(main())
