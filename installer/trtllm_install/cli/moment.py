"""Moments as people and programs read them."""

import time


def moment(seconds: float | None = None) -> str:
    """Return a Unix time (default: now) in UTC, as RFC 3339 has it, to the millisecond."""
    at = time.time() if seconds is None else seconds
    whole, thousandths = divmod(round(at * 1000), 1000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{thousandths:03d}Z", time.gmtime(whole))
