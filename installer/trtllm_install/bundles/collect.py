"""Fetches what goes into a bundle: wheels by pip, for a host that need not be this one."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from trtllm_install.host.protocol import Host
from trtllm_install.model.bundle import BundleFile, Target
from trtllm_install.model.errors import ApplyFailed

_SILENCE_S = 900.0
_SHOWN_LINES = 12
_CHUNK = 1 << 20


def fetch_wheels(
    host: Host,
    requirements: Sequence[str],
    folder: str,
    *,
    python: str,
    target: Target,
    pip_python: str,
    environment: Mapping[str, str],
    more: Sequence[str] = (),
) -> None:
    """Download wheels for ``target`` into ``folder``; raises ApplyFailed with pip's last lines.

    Only wheels: what would have to be built would be built for this host.
    """
    argv = [
        *(pip_python, "-m", "pip", "download", "--no-input", "--progress-bar=off"),
        *("--disable-pip-version-check", "--only-binary=:all:", "--dest", folder),
        *("--python-version", python, "--implementation", "cp"),
        *(word for tag in target.platforms for word in ("--platform", tag)),
        *more,
        *requirements,
    ]
    talk: list[str] = []
    seen = host.free_bytes(folder)

    def tick() -> bool:
        nonlocal seen
        before, seen = seen, host.free_bytes(folder)
        return seen != before

    code = host.follow(
        argv, heard=talk.append, tick=tick, silence=_SILENCE_S, environment=environment
    )
    if code != 0:
        errors = [line for line in talk if line.startswith("ERROR:")]
        cause = errors[-1].removeprefix("ERROR:").strip() if errors else f"pip: exit {code}"
        shown = "\n".join(f"  | {line}" for line in talk[-_SHOWN_LINES:])
        raise ApplyFailed(
            f"cannot fetch wheels for {target}: {cause}\n{shown}",
            hint="name where they are: PIP_INDEX_URL, PIP_FIND_LINKS, or --index",
        )


def locked(files: Sequence[BundleFile]) -> bytes:
    """Return requirements.txt with the hash of every wheel."""
    return "".join(
        f"{name}=={version} --hash=sha256:{file.sha256}\n"
        for file in files
        for name, version in [wheel_identity(file.path)]
    ).encode()


def wheel_identity(path: str) -> tuple[str, str]:
    """Return name and version that a wheel's file name states."""
    name, version = path.rpartition("/")[2].split("-")[:2]
    return name, version


def list_file(host: Host, path: str, inside: str) -> BundleFile:
    """Return the entry of a file on disk, read part by part."""
    total, size = sha256(), 0
    while part := host.read(path, limit=_CHUNK, offset=size):
        total.update(part)
        size += len(part)
    return BundleFile(path=inside, size=size, sha256=total.hexdigest())
