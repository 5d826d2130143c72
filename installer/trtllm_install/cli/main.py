"""Entry point: parse, run one verb, turn what happened into text or JSON and an exit code."""

import gc
import importlib
import os
import shlex
import signal
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from trtllm_install import __version__
from trtllm_install.cli.arguments import UsageError, module_of, parse_arguments
from trtllm_install.host.signals import ENDING, SETTLED
from trtllm_install.model.errors import ConfigError, ExitCode, InstallError, Interrupted, NeedsRoot

if TYPE_CHECKING:
    from trtllm_install.cli.envelope import Envelope, Output


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (docs/reference/exit-codes.md)."""
    as_a_program = argv is None
    words = sys.argv[1:] if argv is None else argv
    try:
        if as_a_program:
            _take_over_process()
        return int(_answered(words))
    except KeyboardInterrupt:  # before there was anything to answer with
        return int(ExitCode.INTERRUPTED)
    finally:
        if as_a_program:
            _flush()


def _answered(words: Sequence[str]) -> ExitCode:
    try:
        arguments = parse_arguments(words)
    except UsageError as error:
        return _misused(error, words)
    if arguments.version:
        print(f"trtllm-install {__version__}")  # noqa: T201 (asked for)
        return ExitCode.DONE
    return _guarded(arguments, words)


def _misused(error: UsageError, words: Sequence[str]) -> ExitCode:
    from trtllm_install.cli.envelope import Envelope  # noqa: PLC0415 (--help does without)

    envelope = Envelope("usage", _asked_for(words))
    envelope.fail(ConfigError(f"cannot read the command line: {error}", hint=error.hint))
    return envelope.finish(ExitCode.USAGE)


def _asked_for(words: Sequence[str]) -> "Output":
    """The form of the answer, from words that could not be parsed."""
    said = " ".join(words).replace("--output=", "--output ") + " "
    if "--output jsonl " in said:
        return "jsonl"
    return "json" if "--output json " in said else "text"


def _guarded(arguments: Namespace, words: Sequence[str]) -> ExitCode:
    from trtllm_install.cli.envelope import Envelope  # noqa: PLC0415 (--help does without)

    envelope = Envelope(arguments.verb, getattr(arguments, "output", "text"))
    code, ended_by = ExitCode.DONE, None
    try:
        with envelope.answering():
            # One module per verb, loaded only when it is asked for.
            verb = importlib.import_module(module_of(arguments.verb))
            code = verb.run(arguments, envelope)
    except BaseException as error:  # noqa: BLE001 (whatever it is, one answer is owed)
        ended_by = error
    _listen_no_more()
    if ended_by:
        code = _failed(envelope, ended_by, words)
    return envelope.finish(code)


def _failed(envelope: "Envelope", error: BaseException, words: Sequence[str]) -> ExitCode:
    if isinstance(error, KeyboardInterrupt):
        by = f" by {error}" if str(error) else ""
        error = Interrupted(f"interrupted{by}", hint="run the same command again")
    if isinstance(error, NeedsRoot):
        # The very command: one without its words would do more than was asked for.
        error.hint = shlex.join(["sudo", "trtllm-install", *words])
    if isinstance(error, InstallError):
        envelope.fail(error)
        return error.exit_code
    envelope.crash(error)
    return ExitCode.INTERNAL


def _take_over_process() -> None:
    """Make the process one that can always answer: three open descriptors, signals, encoding.

    A closed descriptor would be given to the next file that is opened, and what is printed
    would land in it. A terminal that goes away (SIGHUP) and a service manager's SIGTERM are
    Ctrl-C by another name: what was begun has to be undone.
    """
    for number in (0, 1, 2):
        if not _is_open(number):
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    # Most of a run that changes nothing is loading modules, and what they make stays.
    gc.set_threshold(50_000)
    # A plugin that lies beside our libraries is none of ours, and looking for it takes time.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "1"  # noqa: TID251 (set, for a library)
    SETTLED.clear()
    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish is kept
            signal.signal(number, _interrupt)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _interrupt(number: int, _: FrameType | None) -> None:
    if SETTLED.is_set():  # "interrupted" would be a lie
        return
    raise KeyboardInterrupt("" if number == signal.SIGINT else signal.Signals(number).name)


def _listen_no_more() -> None:
    """From here on there is only the answer to give, and half of it would be worse than none."""
    for number in ENDING:
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, signal.SIG_IGN)


def _flush() -> None:
    """Write what is left, or drop it where nobody reads it: Python would exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        _flush_or_drop(stream)


def _flush_or_drop(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    sys.exit(main())
