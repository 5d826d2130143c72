"""What the operating system refuses, told in our grammar at the one border."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import TimeoutExpired

from trtllm_install.model.errors import HostError


@contextmanager
def refusals(deed: str) -> Iterator[None]:
    """Turn what ``deed`` raises into ``cannot <deed>: <cause>``."""
    try:
        yield
    except TimeoutExpired as error:
        raise HostError(
            f"cannot {deed}: no answer within {error.timeout:g} s",
            hint="run the command by hand to see where it hangs",
        ) from error
    except PermissionError as error:
        hint = "check the permissions of the path" if os.geteuid() == 0 else "run it with sudo"
        raise HostError(f"cannot {deed}: permission denied", hint=hint) from error
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise HostError(f"cannot {deed}: {cause}", hint=_HINTS.get(cause, _HINTS[""])) from error
    except KeyError as error:
        raise HostError(f"cannot {deed}: no user {error}", hint="getent passwd trtllm") from error


_HINTS = {
    "no space left on device": "free some space (df -h), then run the same command again",
    "read-only file system": "remount the file system for writing, then run the same command again",
    "": "mend the cause, then run the same command again",
}
