"""Durations and sizes as people read them."""

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400
_MIB = 1024**2
_GIB = 1024**3


def render_seconds(seconds: float) -> str:
    """Return a duration: "41 s", "3 min", "2 h 5 min", "4 d"."""
    whole = int(seconds)
    if whole < 2 * _MINUTE_S:
        return f"{seconds:.1f} s" if seconds < 10 and whole != seconds else f"{whole} s"  # noqa: PLR2004 (a digit of sense)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < 2 * _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
    return f"{whole // _DAY_S} d"


def render_bytes(count: int) -> str:
    """Return a size: "512 MiB", "11.4 GiB"."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count // _MIB} MiB"
