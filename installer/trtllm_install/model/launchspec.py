"""What a launcher is told to run: written by the installer, read by ``trtllm-supervise``.

A plain class and not a dataclass: the launcher stays resident once per service,
and ``dataclasses`` costs 2.7 MB of memory there (measured, Python 3.11).
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.liveness import DEFAULTS, Liveness

SCHEMA: Final = 1
KINDS: Final = ("engine", "proxy")
# What a predecessor that failed for good means to those that wait for it.
CONTINUE: Final = "continue"
HOLD: Final = "hold"
# Every process of a service has it in its environment, daemons that left the session too.
SUPERVISED_MARK: Final = "TRTLLM_SUPERVISED"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_HIGHEST_PORT: Final = 65535


class LaunchSpec:
    """One service: its command, where it answers, what it waits for, and its budgets (seconds)."""

    __slots__ = (
        "admission_s",
        "after",
        "after_failed",
        "after_limit_s",
        "argv",
        "cache_dir",
        "canary_idle_s",
        "drain_s",
        "environment",
        "generate_path",
        "generate_timeout_s",
        "gpu_argv",
        "gpu_bytes",
        "gpu_watch",
        "gpus",
        "health_path",
        "host",
        "kind",
        "liveness",
        "name",
        "no_progress_s",
        "port",
        "preread",
        "run_dir",
        "state_dir",
        "stop_grace_s",
        "unified_memory",
        "weights",
        "weights_bytes",
    )

    def __init__(
        self,
        *,
        name: str,
        kind: str,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        host: str,
        port: int,
        health_path: str = "/health",
        generate_path: str | None = None,
        after: tuple[str, ...] = (),
        after_failed: str = CONTINUE,
        after_limit_s: float | None = None,
        gpus: tuple[str, ...] = (),
        weights: str | None = None,
        weights_bytes: int = 0,
        preread: bool = False,
        unified_memory: bool = False,
        gpu_argv: tuple[str, ...] = (),
        gpu_bytes: Mapping[str, int] | None = None,
        admission_s: float = 600,
        cache_dir: str | None = None,
        generate_timeout_s: float = 120,
        no_progress_s: float = 600,
        stop_grace_s: float = 60,
        drain_s: float = 30,
        canary_idle_s: float = 60,
        liveness: Liveness | None = None,
        gpu_watch: tuple[str, ...] = (),
        run_dir: str = layout.RUN,
        state_dir: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.argv = argv
        self.environment = environment
        self.host = host
        self.port = port
        self.health_path = health_path
        self.generate_path = generate_path
        self.after = after
        self.after_failed = after_failed
        self.after_limit_s = after_limit_s
        self.gpus = gpus
        self.weights = weights
        self.weights_bytes = weights_bytes
        self.preread = preread
        self.unified_memory = unified_memory
        self.gpu_argv = gpu_argv
        self.gpu_bytes = gpu_bytes or {}
        self.admission_s = admission_s
        self.cache_dir = cache_dir
        self.generate_timeout_s = generate_timeout_s
        self.no_progress_s = no_progress_s
        self.stop_grace_s = stop_grace_s
        self.drain_s = drain_s
        self.canary_idle_s = canary_idle_s
        self.liveness = liveness or Liveness()
        self.gpu_watch = gpu_watch
        self.run_dir = run_dir
        self.state_dir = state_dir or layout.instance_state(name)

    def to_json(self) -> str:
        """Return the file's text: every key, in one order, a newline at the end.

        ``liveness`` holds what differs from the usual; it and ``gpu_watch`` are left out when
        they are empty.
        """
        content: dict[str, object] = {"schema": SCHEMA}
        for key in _CHECKS:
            value = getattr(self, key)
            if isinstance(value, Mapping):
                value = dict(sorted(value.items()))
            elif isinstance(value, Liveness):
                value = value.changed()
            if value or key not in _SILENT:
                content[key] = value
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "LaunchSpec":
        """Return the spec that ``text`` holds; ValueError names the first key that is wrong."""
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("expected one JSON object")  # noqa: TRY004 (one error for bad text)
        if content.get("schema") != SCHEMA:
            raise ValueError(f"schema: expected {SCHEMA}, found {content.get('schema')!r}")
        for key in content:
            if key != "schema" and key not in _CHECKS:
                raise ValueError(f"{key}: unknown key")
        for key in _REQUIRED:
            if key not in content:
                raise ValueError(f"{key}: missing")
        values = {k: check(k, content[k]) for k, check in _CHECKS.items() if k in content}
        return cls(**values)  # type: ignore[arg-type]  # each value went through its check


def _check_name(key: str, value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{key}: expected lower case letters, digits and dashes, found {value!r}")
    return value


def _check_kind(key: str, value: object) -> str:
    if value not in KINDS:
        raise ValueError(f"{key}: expected one of {', '.join(KINDS)}, found {value!r}")
    return str(value)


def _check_after_failed(key: str, value: object) -> str:
    if value not in (CONTINUE, HOLD):
        raise ValueError(f"{key}: expected {CONTINUE} or {HOLD}, found {value!r}")
    return str(value)


def _check_flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key}: expected true or false, found {value!r}")  # noqa: TRY004
    return value


def _check_bytes(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{key}: expected bytes, 0 or more, found {value!r}")
    return value


def _check_gpu_bytes(key: str, value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError(f"{key}: expected an object, found {value!r}")  # noqa: TRY004
    return {gpu: _check_bytes(f"{key}.{gpu}", count) for gpu, count in value.items()}


def _check_text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{key}: expected text, found {value!r}")
    return value


def _check_argument(key: str, value: object) -> str:
    # An empty argument is a legal one: `--chat_template ""`.
    return "" if value == "" else _check_text(key, value)


def _check_path(key: str, value: object) -> str:
    text = _check_text(key, value)
    if not text.startswith("/") or any(c.isspace() for c in text):
        raise ValueError(f"{key}: expected a path that begins with /, found {value!r}")
    return text


def _check_optional_path(key: str, value: object) -> str | None:
    return None if value is None else _check_path(key, value)


def _check_optional_text(key: str, value: object) -> str | None:
    return None if value is None else _check_text(key, value)


def _check_port(key: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _HIGHEST_PORT:
        raise ValueError(f"{key}: expected a port from 1 to {_HIGHEST_PORT}, found {value!r}")
    return value


def _check_seconds(key: str, value: object) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < float("inf"):  # type: ignore[operator]  # a number by now
        raise ValueError(f"{key}: expected seconds, 0 or more, found {value!r}")
    return value  # type: ignore[return-value]  # a number by now


def _check_limit(key: str, value: object) -> float | None:
    return None if value is None else _check_seconds(key, value)


def _check_list(item: Callable[[str, object], str]) -> Callable[[str, object], tuple[str, ...]]:
    def check(key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(f"{key}: expected a list, found {value!r}")  # noqa: TRY004
        return tuple(item(f"{key}[{i}]", v) for i, v in enumerate(value))

    return check


def _check_argv(key: str, value: object) -> tuple[str, ...]:
    argv = _check_list(_check_argument)(key, value)
    if not argv or not argv[0]:
        raise ValueError(f"{key}[0]: expected a program, found nothing")
    return argv


def _check_environment(key: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{key}: expected an object, found {value!r}")  # noqa: TRY004
    for name in value:
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{key}.{name}: not a name of a variable")
    return {name: _check_argument(f"{key}.{name}", v) for name, v in value.items()}


def _check_liveness(key: str, value: object) -> Liveness:
    if not isinstance(value, dict):
        raise ValueError(f"{key}: expected an object, found {value!r}")  # noqa: TRY004
    for name in value:
        if name not in DEFAULTS:
            raise ValueError(f"{key}.{name}: unknown key")
    return Liveness(**{n: _check_seconds(f"{key}.{n}", v) for n, v in value.items()})


# Every key of the file, in the order in which it is written.
_CHECKS: Final[dict[str, Callable[[str, object], object]]] = {
    "name": _check_name,
    "kind": _check_kind,
    "argv": _check_argv,
    "environment": _check_environment,
    "host": _check_text,
    "port": _check_port,
    "after": _check_list(_check_name),
    "after_failed": _check_after_failed,
    "after_limit_s": _check_limit,
    "health_path": _check_path,
    "generate_path": _check_optional_path,
    "generate_timeout_s": _check_seconds,
    "no_progress_s": _check_seconds,
    "stop_grace_s": _check_seconds,
    "drain_s": _check_seconds,
    "gpus": _check_list(_check_text),
    "gpu_bytes": _check_gpu_bytes,
    "gpu_argv": _check_list(_check_argument),
    "unified_memory": _check_flag,
    "admission_s": _check_seconds,
    "weights": _check_optional_text,
    "weights_bytes": _check_bytes,
    "preread": _check_flag,
    "cache_dir": _check_optional_path,
    "run_dir": _check_path,
    "state_dir": _check_path,
    "canary_idle_s": _check_seconds,
    "liveness": _check_liveness,
    "gpu_watch": _check_list(_check_argument),
}
# Left out of the file while they say nothing.
_SILENT: Final = ("liveness", "gpu_watch")
_REQUIRED: Final = ("name", "kind", "argv", "environment", "host", "port")
