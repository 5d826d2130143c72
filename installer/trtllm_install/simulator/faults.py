"""Faults that the simulated engine shows on request; none is on by default."""

import dataclasses
import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

VARIABLE = "TRTLLM_SIMULATED_FAULTS"

_WORDS = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}


class FaultError(ValueError):
    """A fault is unknown or has a value it cannot have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How the engine shall behave.

    The first group is read once, before the load. The second can be switched while serving
    (`POST /simulated/faults`).
    """

    load_seconds: float = 1.0  # from start to listening, beside what the reading takes
    weights_seconds: float | None = None  # of them, for the weights; the usual is 70 %
    read_all: bool = False  # every byte of the weights, instead of 16 MiB of each file
    stall_at: int | None = None  # percent of the weights at which the load stops for ever
    oom: bool = False  # the weights load, then the KV cache finds no memory: exit 1
    ignore_term: bool = False  # SIGTERM means nothing; only SIGKILL ends the server
    daemon: bool = False  # a process in a session of its own holds the port, also after the end

    token_seconds: float = 0.002  # between two tokens
    generation_fails: bool = False  # 400 to clients, 500 at /health_generate
    prefill_seconds: float = 0.0  # silence with work going on before each answer, one at a time
    hang: bool = False  # nothing is generated any more; /health stays 200
    spin: bool = False  # the same, and a thread works for nothing
    log_flood: float = 0.0  # MB of lines a second
    zombies: int = 0  # so many children end and are never waited for
    always_503: bool = False  # every route of the engine answers 503
    crash_after_events: int | None = None  # the process aborts after so many events of a stream
    cut_after_events: int | None = None  # the stream breaks off; the process lives on
    worker_killed: bool = False  # the worker is killed once the engine serves; nobody notices
    orphan: bool = False  # the worker outlives the server
    exit_code: int | None = None  # the process ends at once with this code

    def changed(self, wanted: Mapping[str, object]) -> "Faults":
        """Return these faults with some replaced; FaultError when one cannot be."""
        fitted = {key: _fit(key, value) for key, value in wanted.items()}
        return Faults(**{**dataclasses.asdict(self), **fitted})

    def document(self) -> dict[str, object]:
        """Return every fault with its value, for JSON."""
        return dataclasses.asdict(self)


AT_START = frozenset(
    {"load_seconds", "weights_seconds", "read_all", "stall_at", "oom", "ignore_term", "daemon"}
)
_LIMITS: Mapping[str, tuple[int, int]] = {
    "stall_at": (0, 100),
    "crash_after_events": (1, 1_000_000),
    "cut_after_events": (1, 1_000_000),
    "exit_code": (0, 255),
    "zombies": (0, 1000),
}
_OPTIONAL = frozenset(_LIMITS) - {"zombies"} | {"weights_seconds"}
_SECONDS = {"load_seconds", "weights_seconds", "token_seconds", "prefill_seconds"}
_AMOUNTS = frozenset(_SECONDS | {"log_flood"})
_NAMES = tuple(field.name for field in dataclasses.fields(Faults))


def parse_faults(text: str) -> Faults:
    """Return the faults of ``TRTLLM_SIMULATED_FAULTS``; none when the text is empty.

    The text is a JSON object, or ``key=value`` pairs apart by commas or blanks, where
    ``key`` alone means ``key=true``. Raises FaultError.
    """
    if text.lstrip().startswith("{"):
        try:
            wanted = json.loads(text)
        except json.JSONDecodeError as error:
            raise FaultError(f"not valid JSON: {error}") from error
        return Faults().changed(wanted)
    pairs = [item.partition("=") for item in re.split(r"[,\s]+", text) if item]
    return Faults().changed({key: value if equals else True for key, equals, value in pairs})


def _fit(key: str, value: object) -> object:
    if key not in _NAMES:
        close = difflib.get_close_matches(key, _NAMES, n=1)
        known = f"did you mean {close[0]}" if close else f"known are {', '.join(_NAMES)}"
        raise FaultError(f"unknown fault {key!r}: {known}")
    if key in _OPTIONAL and (value is None or value in ("none", "null")):
        return None
    if key in _AMOUNTS:
        return _amount(key, value)
    if key in _LIMITS:
        return _count(key, value)
    if isinstance(value, str):
        value = _WORDS.get(value.lower(), value)
    if not isinstance(value, bool):
        raise FaultError(f"{key} must be true or false, found {value!r}")
    return value


def _amount(key: str, value: object) -> float:
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) else -1.0
    except ValueError:
        seconds = -1.0
    if isinstance(value, bool) or not 0 <= seconds < float("inf"):
        unit = "MB/s" if key == "log_flood" else "seconds"
        raise FaultError(f"{key} must be {unit}, 0 or more, found {value!r}")
    return seconds


def _count(key: str, value: object) -> int | None:
    low, high = _LIMITS[key]
    number = int(value) if isinstance(value, (int, str)) and str(value).isdecimal() else low - 1
    if not low <= number <= high:
        raise FaultError(f"{key} must be a whole number from {low} to {high}, found {value!r}")
    return number
