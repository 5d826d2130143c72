"""Finds the folder that holds every checkpoint: the calling user's, never root's by accident."""

import posixpath
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError

DEFAULT: Final = "~/model_weights"
_HINT: Final = "--weights-dir DIR"


def weights_folder(host: Host, option: str | None, site: str | None) -> str:
    """Return the absolute folder: the option, else the site file's, else ``~/model_weights``.

    ``~`` is the home of the user who called, also under sudo. Raises ConfigError when
    that user is not known or the folder is not absolute.
    """
    wanted = option or site or DEFAULT
    if wanted.startswith("~"):
        wanted = _expanded(host, wanted)
    if not wanted.startswith("/"):
        raise ConfigError(
            f"cannot use weights folder {wanted}: it is not an absolute path",
            hint=f'--weights-dir "$PWD/{wanted}"' if option else _HINT,
        )
    return wanted.rstrip("/") or "/"


def calling_home(host: Host) -> str | None:
    """Return the home of the user who called, also under sudo; None where that is not known."""
    try:
        return _calling_home(host)
    except ConfigError:
        return None


def _expanded(host: Host, path: str) -> str:
    user, _, rest = path[1:].partition("/")
    home = host.home_of(user) if user else _calling_home(host)
    if home is None:
        named = f"user {user}" if user else "the calling user"
        raise ConfigError(f"cannot find weights folder {path}: {named} has no home", hint=_HINT)
    return f"{home.rstrip('/')}/{rest}"


def _calling_home(host: Host) -> str | None:
    """Return the caller's home; under sudo HOME is root's, so SUDO_USER is asked."""
    if host.image():
        raise ConfigError(
            f"cannot find weights folder {DEFAULT}: nobody calls from an image, so nobody's "
            "home is meant",
            hint="--weights-dir DIR, as the host will see it once it is booted",
        )
    if not host.is_root():
        home, user = host.environment("HOME"), host.environment("USER")
        return home or (host.home_of(user) if user else None)
    caller = host.environment("SUDO_USER")
    if caller in {None, "", "root"}:
        raise ConfigError(
            "cannot find weights folder ~/model_weights: root called without sudo, "
            "and root's own home is not used",
            hint=_HINT,
        )
    return host.home_of(str(caller))


def in_the_way(host: Host, folder: str) -> str:
    """Say why there can be no such folder: a link that leads nowhere, or a file; empty = it can.

    Most often it is a disk that is not mounted. Raises HostError.
    """
    path = folder
    while path != "/":
        entry = host.look(path)
        if entry is None:
            path = posixpath.dirname(path)
            continue
        real = host.look(host.resolve(path))
        if real is None:
            return f"{path} is a link to {entry.target}, and nothing is there"
        return "" if real.kind == "directory" else f"{path} is no folder"
    return ""
