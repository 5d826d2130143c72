"""What a verb answers with: one JSON document on stdout, or text for people."""

import json
import sys
import traceback
from collections.abc import Mapping

from trtllm_install.model.errors import ExitCode, InstallError

API_VERSION = "trtllm.install/v1"


class Envelope:
    """Collects the answer of one run. In JSON nothing else ever reaches stdout."""

    def __init__(self, verb: str, as_json: bool) -> None:  # noqa: FBT001 (one switch, one caller)
        self.as_json = as_json
        self._document: dict[str, object] = {
            "apiVersion": API_VERSION,
            "kind": verb,
            "ok": True,
            "changed": False,
            "exit_code": 0,
            "profile": None,
            "findings": [],
            "changes": [],
            "instances": [],
            "error": None,
        }

    def add(self, fields: Mapping[str, object]) -> None:
        """Set fields of the JSON document."""
        self._document.update(fields)

    def say(self, text: str = "") -> None:
        """Print a line of the answer for people, on stdout."""
        if not self.as_json:
            print(text)  # noqa: T201 (the answer itself)

    def note(self, text: str) -> None:
        """Say something that matters to whoever reads the answer, on stderr."""
        print(f"note: {text}", file=sys.stderr)  # noqa: T201

    def fail(self, error: InstallError) -> None:
        """Answer with an expected failure: the error, a blank line, the hint, on stderr."""
        message, _, details = error.message.partition("\n")
        self._document["error"] = {
            "code": _code(error),
            "message": error.message,
            "hint": error.hint,
        }
        print(f"error: {message}", file=sys.stderr)  # noqa: T201
        if details:
            print(details, file=sys.stderr)  # noqa: T201
        print(f"\nhint: {error.hint}", file=sys.stderr)  # noqa: T201

    def crash(self, error: Exception) -> None:
        """Answer with a bug of ours: all that a report needs."""
        text = "".join(traceback.format_exception(error))
        self._document["error"] = {
            "code": "InternalError",
            "message": f"{type(error).__name__}: {error}",
            "hint": "report it with the lines on stderr",
        }
        print(text, file=sys.stderr)  # noqa: T201
        print(f"error: this is a bug: {error!r}", file=sys.stderr)  # noqa: T201
        print("\nhint: report it with the lines above", file=sys.stderr)  # noqa: T201

    def finish(self, code: ExitCode) -> None:
        """Print the document, if it is one that was asked for."""
        self._document["exit_code"] = int(code)
        self._document["ok"] = code in {ExitCode.DONE, ExitCode.CHANGES_PENDING}
        if self.as_json:
            print(json.dumps(self._document, indent=2))  # noqa: T201
        sys.stdout.flush()


def _code(error: InstallError) -> str:
    """Return the published name: a class of model/errors.py, whatever it was refined to."""
    published = (c for c in type(error).__mro__ if c.__module__ == InstallError.__module__)
    return next(published).__name__
