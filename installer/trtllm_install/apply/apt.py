"""apt-get as a machine has to use it: no question, no upgrade, and its lock waited for."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError

Told = Callable[[str], None]

LOCK_S: Final = 300  # longest wait for another apt or dpkg
_SILENCE_S: Final = 1800.0  # a slow mirror, or a big package that is unpacked
_ENVIRONMENT: Final[Mapping[str, str]] = {
    "DEBIAN_FRONTEND": "noninteractive",
    "NEEDRESTART_SUSPEND": "1",  # which would restart services of others
    "LC_ALL": "C.UTF-8",
}
_WAITS: Final = "Waiting for cache lock: "
_NO_LOCK: Final = "Could not get lock"
_NEW_ONLY: Final = ("install", "--no-install-recommends", "--no-remove")
_RETRY_S: Final = 5.0
# dpkg writes "dpkg: error processing package NAME (--configure):" and the reason below it.
_DPKG_REFUSED: Final = re.compile(r"dpkg: error processing (?:package|archive) (\S+)")
_DPKG_AT_WORK: Final = ("Setting up ", "Unpacking ", "Preparing ", "Processing ", "dpkg: ")


def update_lists(host: Host, told: Told) -> None:
    """Read the package lists anew; raises HostError.

    Their lock is the one that DPkg::Lock::Timeout does not cover (apt 2.6), so it is
    tried again. A source that cannot be reached is no error: others may do.
    """
    deadline = host.monotonic() + LOCK_S
    while (locked := _updated(host, told)) and host.monotonic() < deadline:
        told(f"waiting for another apt: {locked.message}")
        host.pause(_RETRY_S)
    if locked:
        raise locked


def _updated(host: Host, told: Told) -> HostError | None:
    """Update, or return the error that says who holds the lock; raises every other."""
    try:
        _apt_get(host, ("update",), told)
    except HostError as error:
        if _NO_LOCK in error.message:
            return error
        raise
    return None


def download(host: Host, names: Sequence[str], told: Told) -> None:
    """Fetch the packages into apt's own cache; nothing is installed. Raises HostError."""
    _apt_get(host, ("--download-only", *_NEW_ONLY, "--no-upgrade", *names), told)


def install(host: Host, names: Sequence[str], debs: Sequence[str], told: Told) -> None:
    """Install what is not here, from the files ``debs`` where there are any; raises HostError.

    An interrupt is heard once dpkg has ended: half a package is what nobody can use.
    """
    words = tuple(debs) or ("--no-upgrade", *names)
    with host.shielded(heard_after=True):
        _apt_get(host, (*_NEW_ONLY, *words), told)


def purge(host: Host, names: Sequence[str], told: Told) -> None:
    """Remove packages with their configuration; raises HostError, also where others need them.

    What was cut off is set up first: dpkg does nothing else before.
    """
    with host.shielded():
        if host.run(["dpkg", "--audit"], timeout=60).stdout.strip():
            host.run(["dpkg", "--configure", "--pending"], timeout=600, environment=_ENVIRONMENT)
        if others := purged_with(host, names) - set(names):
            raise HostError(
                f"cannot remove {', '.join(names)}: {', '.join(sorted(others))} needs them",
                hint=f"apt-get --simulate purge {' '.join(names)}",
            )
        _apt_get(host, ("purge", *names), told)


def purged_with(host: Host, names: Sequence[str]) -> frozenset[str]:
    """Return every package that would go with ``names``; changes nothing."""
    ended = host.run(["apt-get", "--simulate", "purge", *names], environment=_ENVIRONMENT)
    if ended.code != 0:
        raise _refused("--simulate purge", ended.code, ended.stderr.splitlines(), "")
    steps = (line.split() for line in ended.stdout.splitlines())
    return frozenset(s[1] for s in steps if len(s) > 1 and s[0] in {"Purg", "Remv"})


def _apt_get(host: Host, words: Sequence[str], told: Told) -> None:
    said: list[str] = []
    holder = ""

    def hear(line: str) -> None:
        nonlocal holder
        if line.startswith(_WAITS) and line != holder:
            told(f"waiting for another apt: {line.removeprefix(_WAITS)}")
            holder = line
        said.append(line)

    code = host.follow(
        [
            *("apt-get", "--yes", "--quiet", "-o", f"DPkg::Lock::Timeout={LOCK_S}"),
            *("-o", "Dpkg::Options::=--force-confold", *words),
        ],
        heard=hear,
        tick=lambda: False,
        silence=_SILENCE_S,
        environment=_ENVIRONMENT,
    )
    if code != 0:
        raise _refused(words[0], code, said, holder.removeprefix(_WAITS))


def _refused(word: str, code: int, said: Sequence[str], holder: str) -> HostError:
    """Name apt's own errors, and the holder of a lock that it does not name itself."""
    errors = [line.removeprefix("E: ") for line in said if line.startswith("E: ")]
    errors = [*_of_dpkg(said), *errors]
    cause = "; ".join([*errors, holder] if holder else errors) or f"exit {code}"
    first = "wait for it to end" if holder else "sudo apt-get check"
    return HostError(
        f"cannot run apt-get {word}: {cause.rstrip('.')}",
        hint=f"{first}, then run the same command again",
    )


def _of_dpkg(said: Sequence[str]) -> Iterator[str]:
    """Yield what dpkg refused, which apt only counts, with the last words of a package's script."""
    lines = [line.strip() for line in said if line.strip()]  # dpkg ends its own with CR LF
    for before, line, why in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        if match := _DPKG_REFUSED.match(line):
            words = "" if before.startswith(_DPKG_AT_WORK) else before
            yield f"{match[1]}: {why}" + (f" ({words})" if words else "")
