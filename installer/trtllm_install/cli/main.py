"""Entry point: parse, run one verb, turn what happened into text or JSON and an exit code."""

import importlib
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from trtllm_install import __version__
from trtllm_install.cli.arguments import UsageError, parse_arguments
from trtllm_install.model.errors import ConfigError, ExitCode, InstallError, Interrupted

if TYPE_CHECKING:
    from trtllm_install.cli.envelope import Envelope


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (docs/reference/exit-codes.md)."""
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = parse_arguments(words)
    except UsageError as error:
        return int(_misused(error, words))
    if arguments.version:
        print(f"trtllm-install {__version__}")  # noqa: T201 (asked for)
        return ExitCode.DONE
    # One module per verb, loaded only when it is asked for.
    verb = importlib.import_module(
        f"trtllm_install.cli.verbs.{(arguments.verb or 'install').replace('-', '_')}"
    )
    return int(_guarded(verb.run, arguments))


def _misused(error: UsageError, words: Sequence[str]) -> ExitCode:
    from trtllm_install.cli.envelope import Envelope  # noqa: PLC0415 (--help does without)

    said = " ".join(words).replace("--output=", "--output ")
    envelope = Envelope("usage", "--output json" in said)
    envelope.fail(
        ConfigError(f"cannot read the command line: {error}", hint=f"{error.program} --help")
    )
    envelope.finish(ExitCode.USAGE)
    return ExitCode.USAGE


def _guarded(run: "Callable[[Namespace, Envelope], ExitCode]", arguments: Namespace) -> ExitCode:
    from trtllm_install.cli.envelope import Envelope  # noqa: PLC0415 (--help does without)
    from trtllm_install.host.signals import ending_as_interrupt  # noqa: PLC0415 (likewise)

    envelope = Envelope(arguments.verb, getattr(arguments, "output", "text") == "json")
    try:
        with ending_as_interrupt():
            code: ExitCode = run(arguments, envelope)
    except InstallError as error:
        envelope.fail(error)
        code = error.exit_code
    except KeyboardInterrupt:
        envelope.fail(Interrupted("interrupted", hint="run the same command again"))
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:  # `plan | head` has seen enough
        _forget_stdout()
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001 (a bug still owes one document and a way to report)
        envelope.crash(error)
        code = ExitCode.INTERNAL
    try:
        envelope.finish(code)
    except BrokenPipeError:  # nobody reads the answer; the exit code still says how it went
        _forget_stdout()
    return code


def _forget_stdout() -> None:
    """Leave nothing for the interpreter to flush into a pipe that is closed."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
