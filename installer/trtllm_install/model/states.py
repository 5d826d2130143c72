"""States of a supervised service and the one table of what may follow what."""

from typing import Final

WAITING: Final = "waiting"
ADMISSION: Final = "admission"
LOADING: Final = "loading"
WARMING: Final = "warming"
HEALTHY: Final = "healthy"
BUSY: Final = "busy"
SUSPECT: Final = "suspect"
DRAINING: Final = "draining"
STOPPED: Final = "stopped"
FAILED: Final = "failed"
BACKOFF: Final = "backoff"

MEANING: Final = {
    BACKOFF: "ended by a crash; the next start is held back",
    WAITING: "an instance that has to be healthy first is not",
    ADMISSION: "the port, the GPU or a left-over process is in the way",
    LOADING: "the process runs and refuses connections",
    WARMING: "the process accepts connections and has not yet given a token",
    HEALTHY: "the last evidence says that it serves",
    BUSY: "a canary waits while the process works",
    SUSPECT: "a probe failed and nothing else shows life",
    DRAINING: "asked to stop; running requests end, then the process tree",
    STOPPED: "ended because that was asked for",
    FAILED: "ended, and starting again would not help",
}

# An ending for each reason: a crash that a restart may cure, and one that it cannot.
_ENDED_BY_ITSELF: Final = (BACKOFF, FAILED)

TRANSITIONS: Final[dict[str, tuple[str, ...]]] = {
    BACKOFF: (WAITING, STOPPED),
    WAITING: (ADMISSION, STOPPED, *_ENDED_BY_ITSELF),
    ADMISSION: (LOADING, STOPPED, *_ENDED_BY_ITSELF),
    LOADING: (WARMING, DRAINING, *_ENDED_BY_ITSELF),
    WARMING: (HEALTHY, DRAINING, *_ENDED_BY_ITSELF),
    HEALTHY: (BUSY, SUSPECT, DRAINING, *_ENDED_BY_ITSELF),
    BUSY: (HEALTHY, SUSPECT, DRAINING, *_ENDED_BY_ITSELF),
    SUSPECT: (HEALTHY, BUSY, DRAINING, *_ENDED_BY_ITSELF),
    DRAINING: (STOPPED, FAILED),
    STOPPED: (),
    FAILED: (),
}

# A launcher begins in one of these: a crash before this start decides which.
INITIAL: Final = (WAITING, BACKOFF)
# What is ready for clients, and what successors wait for.
SERVING: Final = (HEALTHY, BUSY)
# What the state file of a launcher that has ended says; BACKOFF is also a beginning.
ENDED: Final = (STOPPED, FAILED, BACKOFF)


class TransitionError(Exception):
    """A state was to follow one that it cannot follow: a bug, not a condition."""


def check_transition(old: str | None, new: str) -> None:
    """Raise TransitionError unless ``new`` may follow ``old`` (None: nothing came before)."""
    allowed = INITIAL if old is None else TRANSITIONS[old]
    if new not in allowed:
        raise TransitionError(f"cannot enter state {new}: it does not follow {old}")
