"""The cells of the fault matrix: what is done to an engine, when, and what has to come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Phase = Literal["loading", "idle", "busy"]
PHASES: Final[tuple[Phase, ...]] = ("loading", "idle", "busy")

IGNORED: Final = "ignored"
ON_REQUEST: Final = "restarted on request"

# What the launch specs of the matrix change, so that it takes minutes: seconds.
LIVENESS: Final = {
    "health_every_s": 0.5,
    "idle_window_s": 2,
    "unknown_window_s": 3,
    "in_flight_window_s": 4,
    "refusing_s": 5,
    "busy_s": 25,
    "lines_vouch_s": 30,
}
BUDGETS: Final = {"canary_idle_s": 6, "no_progress_s": 8, "stop_grace_s": 4, "drain_s": 3}
BACKOFF: Final = "0.5,1,2"
WATCHED_S: Final = 20.0  # how long a fault that is to be ignored is watched

Faults = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row."""

    words: str
    expected: Mapping[Phase, str]
    at_start: Faults = field(default_factory=dict)  # the engine has it from its start
    while_loading: Faults | None = None  # from its start, in the phase "loading" alone
    switched: Faults = field(default_factory=dict)  # switched on while it serves
    act: Literal["", "kill server", "abort server", "kill worker", "restart"] = ""
    config: str = ""  # the engine's YAML
    persists: bool = False  # the next start has it too


def _everywhere(verdict: str) -> Mapping[Phase, str]:
    return dict.fromkeys(PHASES, verdict)


def _serving(verdict: str) -> Mapping[Phase, str]:
    return {"idle": verdict, "busy": verdict}


_CRASH, _HANG = "restarted, 70", "restarted, 82"

FAULTS: Final[Mapping[str, Fault]] = {
    "stall": Fault(
        words="the load stops half-way and says nothing more",
        expected={"loading": _HANG},
        at_start={"stall_at": 50},
    ),
    "oom": Fault(
        words="out of memory while loading, each time",
        expected={"loading": "stopped, 80"},
        at_start={"oom": True},
        persists=True,
    ),
    "yaml": Fault(
        words="a key in the engine's YAML that it does not know",
        expected={"loading": "stopped, 78"},
        config="max_batchsize: 4\n",
        persists=True,
    ),
    "crash": Fault(
        words="the server crashes; when busy in the middle of a stream",
        expected=_everywhere(_CRASH),
        act="abort server",
    ),
    "hang": Fault(
        words="the executor is dead, `/health` says 200",
        expected=_everywhere(_HANG),
        while_loading={"hang": True},
        switched={"hang": True},
    ),
    "spin": Fault(
        words="the same, and a thread spins",
        expected=_everywhere(_HANG),
        while_loading={"spin": True},
        switched={"spin": True},
    ),
    "refuse": Fault(
        words="503 for ever",
        expected=_everywhere(_HANG),
        while_loading={"always_503": True},
        switched={"always_503": True},
    ),
    "worker": Fault(
        words="the worker is killed, the server lives on",
        expected=_everywhere(_HANG),
        act="kill worker",
    ),
    "daemon": Fault(
        words="the server is killed; a daemon in a session of its own holds the port",
        expected=_everywhere(_CRASH),
        at_start={"daemon": True},
        act="kill server",
    ),
    "deaf": Fault(
        words="a restart is asked for, SIGTERM is ignored",
        expected=_everywhere(ON_REQUEST),
        at_start={"ignore_term": True},
        act="restart",
    ),
    "slow": Fault(
        words="0.2 tokens a second",
        expected=_everywhere(IGNORED),
        while_loading={"token_seconds": 5},
        switched={"token_seconds": 5},
    ),
    "prefill": Fault(
        words="a long prefill: silence with work going on",
        expected={"busy": IGNORED},
        switched={"prefill_seconds": 15},
    ),
    "flood": Fault(
        words="100 MB of log a second",
        expected=_everywhere(IGNORED),
        while_loading={"log_flood": 100},
        switched={"log_flood": 100},
    ),
    "zombies": Fault(
        words="20 children that nobody waits for",
        expected=_everywhere(IGNORED),
        while_loading={"zombies": 20},
        switched={"zombies": 20},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One fault in one phase, on an instance of its own."""

    fault: str
    phase: Phase
    port: int

    @property
    def name(self) -> str:
        """Of the instance, and the id of its model."""
        return f"{self.fault}-{self.phase}"

    @property
    def expected(self) -> str:
        """What has to come of it."""
        return FAULTS[self.fault].expected[self.phase]

    @property
    def start_faults(self) -> Faults:
        """What the engine has from its start."""
        fault = FAULTS[self.fault]
        loading = self.phase == "loading"
        # Long enough to be met while it loads, where something is done to it.
        load_s = 12 if loading and fault.act else 0.5
        more = fault.while_loading or {} if loading else {}
        return {"load_seconds": load_s, "token_seconds": 0.05, **fault.at_start, **more}


# What runs beside one another: few enough for a small machine.
WAVES: Final[tuple[tuple[Phase, ...], ...]] = (("loading", "idle"), ("busy",))


def cells_of(phases: tuple[Phase, ...]) -> tuple[Cell, ...]:
    """Return the cells of some phases, each with a port of its own."""
    wanted = [(name, p) for p in phases for name, f in FAULTS.items() if p in f.expected]
    return tuple(
        Cell(fault=name, phase=phase, port=8101 + i) for i, (name, phase) in enumerate(wanted)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one cell; times in seconds, None where there is none."""

    fault: str
    phase: Phase
    verdict: str
    detect_s: float | None = None
    serve_s: float | None = None  # from the fault to the next completion
    answered: int = 0
    lost: int = 0
    left_over: int = 0
    said: str = ""
    shown: str = ""  # what the supervisor itself shows of a service that failed for good
