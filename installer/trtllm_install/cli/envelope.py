"""What a verb answers with: one JSON document on stdout, or text for people."""

import errno
import json
import os
import stat
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Literal, TextIO

from trtllm_install import __version__
from trtllm_install.cli.moment import moment
from trtllm_install.model.errors import ExitCode, InstallError
from trtllm_install.model.secrets import mask, mask_value

API_VERSION = "trtllm.install/v1"
Output = Literal["text", "json", "jsonl"]


class Envelope:
    """Collects the answer of one run. In JSON nothing else ever reaches stdout."""

    def __init__(self, verb: str, output: Output = "text") -> None:
        self.output: Output = output
        self.log_file: str | None = None  # that this run has written
        self._out: TextIO | None = sys.stdout
        self._refused: OSError | None = None
        self._begun = time.monotonic()
        self._revealed: dict[str, str] = {}  # secrets that were asked for
        self._document: dict[str, object] = {
            "apiVersion": API_VERSION,
            "kind": verb,
            "ok": True,
            "changed": False,
            "dry_run": False,
            "exit_code": 0,
            "profile": None,
            "tool_version": __version__,
            "host": os.uname().nodename,
            "started": moment(),
            "duration_s": 0.0,
            "findings": [],
            "changes": [],
            "instances": [],
            "log_file": None,
            "error": None,
        }

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Keep stdout for the document: whatever else is printed meanwhile goes to stderr."""
        if self.output == "text":
            yield
            return
        with redirect_stdout(sys.stderr):
            yield

    def add(self, fields: Mapping[str, object]) -> None:
        """Set fields of the JSON document."""
        self._document.update(fields)

    def say(self, text: str = "") -> None:
        """Print a line of the answer for people, on stdout."""
        if self.output == "text":
            self._write(f"{mask(text)}\n")

    def reveal(self, field: str, secret: str) -> None:
        """Answer with a secret that was asked for, as it is; it goes nowhere else."""
        self._revealed[field] = secret
        if self.output == "text":
            self._write(f"{secret}\n")

    def say_now(self, text: str) -> None:
        """Print a line of an answer that grows, also into a pipe."""
        self.say(text)
        self._flush()

    def event(self, line: str) -> None:
        """Print what has just happened, a JSON object on one line, at once."""
        if self.output == "jsonl":
            self._write(f"{line}\n")
            self._flush()

    def note(self, text: str) -> None:
        """Say something that matters to whoever reads the answer, on stderr."""
        print(f"note: {text}", file=sys.stderr)  # noqa: T201

    def fail(self, error: InstallError) -> None:
        """Answer with an expected failure: the error, a blank line, the hint, on stderr."""
        message, _, details = mask(error.message).partition("\n")
        self._document["error"] = {
            "code": _code(error),
            "message": error.message,
            "hint": error.hint,
        }
        _talk(f"error: {message}")
        if details:
            _talk(details)
        _talk(f"\nhint: {mask(error.hint)}")
        if self.log_file:
            _talk(f"log: {self.log_file}")

    def crash(self, error: BaseException) -> None:
        """Answer with a bug of ours: all that a report needs, or where it is written."""
        where = f"with {self.log_file}" if self.log_file else "with the lines on stderr"
        self._document["error"] = {
            "code": "InternalError",
            "message": f"{type(error).__name__}: {error}",
            "hint": f"report it {where}",
        }
        if not self.log_file:
            _talk(mask("".join(traceback.format_exception(error))))
        _talk(mask(f"error: this is a bug: {error!r}"))
        lines = f"the traceback is in {self.log_file}" if self.log_file else "with the lines above"
        _talk(f"\nhint: report it: {lines}")

    def finish(self, code: ExitCode) -> ExitCode:
        """Print the document, if one was asked for, and return what to exit with.

        That is ``code``, unless the answer of a success could not be written.
        """
        self._document["exit_code"] = int(code)
        self._document["ok"] = code in {ExitCode.DONE, ExitCode.CHANGES_PENDING}
        self._document["duration_s"] = round(time.monotonic() - self._begun, 3)
        self._document["log_file"] = self.log_file
        if self.output != "text":
            indent = 2 if self.output == "json" else None
            shown = mask_value(self._document)
            if isinstance(shown, dict):
                shown |= self._revealed
            text = json.dumps(shown, indent=indent, default=str)
            self._write(f"{text}\n")
        self._flush()
        if self._refused is None:
            return code
        _talk(f"error: cannot write the answer: {(self._refused.strerror or '').lower()}")
        _talk("\nhint: df -h, then run the same command again")
        return code if code is not ExitCode.DONE else ExitCode.INTERNAL

    def _write(self, text: str) -> None:
        with self._tolerant():
            if self._out:
                self._out.write(text)

    def _flush(self) -> None:
        with self._tolerant():
            if self._out:
                self._out.flush()

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        """A reader that is gone, or a full disk, must not stop the work that is reported on."""
        try:
            yield
        except BrokenPipeError:  # `plan | head` has seen enough; the exit code still tells
            self._forget()
        except OSError as error:
            self._refused = None if self._is_hung_up(error) else error
            self._forget()

    def _is_hung_up(self, error: OSError) -> bool:
        """Tell whether this is a terminal that was closed, which no disk is."""
        if error.errno != errno.EIO or self._out is None:
            return False
        return stat.S_ISCHR(os.fstat(self._out.fileno()).st_mode)

    def _forget(self) -> None:
        """Leave nothing for the interpreter to flush into a pipe that is closed."""
        out, self._out = self._out, None
        with suppress(OSError):
            if out:
                os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _talk(text: str) -> None:
    with suppress(OSError):  # nobody listens any more
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def _code(error: InstallError) -> str:
    """Return the published name: a class of model/errors.py, whatever it was refined to."""
    published = (c for c in type(error).__mro__ if c.__module__ == InstallError.__module__)
    return next(published).__name__
