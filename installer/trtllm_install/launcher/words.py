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


def render_amount(part: int, whole: int) -> str:
    """Return a part of a size, both in the unit of the whole: "11.4 of 18.0 GiB"."""
    if whole >= _GIB:
        return f"{part / _GIB:.1f} of {whole / _GIB:.1f} GiB"
    return f"{part // _MIB} of {whole // _MIB} MiB"


def render_rate(bytes_per_s: float) -> str:
    """Return "1.9 GiB/s", "640 MiB/s"."""
    if bytes_per_s >= _GIB:
        return f"{bytes_per_s / _GIB:.1f} GiB/s"
    return f"{bytes_per_s / _MIB:.0f} MiB/s"
