"""Looks into a bundle, and unpacks it where nobody else can reach. Standard library only.

``bootstrap.sh`` runs this from the wheel inside the bundle, before the tool's own
dependencies are there.
"""

import posixpath

from trtllm_install.bundles.archive import unpack_bundle, verify_bundle
from trtllm_install.bundles.here import target_here
from trtllm_install.host.protocol import Host
from trtllm_install.model.bundle import Manifest, Target
from trtllm_install.model.errors import ApplyFailed, ConfigError


def read_bundle(host: Host, path: str, *, pinned: str = "", here: bool = False) -> Manifest:
    """Return the manifest of a bundle that is whole; writes nothing.

    With ``here`` its tool must run on this host and with this Python. Raises ConfigError
    that names the file that is wrong, or what the bundle is for and what this host is.
    """
    manifest = verify_bundle(host, path, pinned=pinned)
    if here:
        refuse_elsewhere(path, manifest, target_here())
    return manifest


def refuse_elsewhere(path: str, manifest: Manifest, here: Target) -> None:
    """Raise ConfigError unless the wheels of a bundle run on ``here``."""
    wheels = manifest.target
    same = (wheels.machine, wheels.python) == (here.machine, here.python)
    if not same or wheels.glibc > here.glibc:
        raise ConfigError(
            f"cannot use bundle {path}: it is for {manifest.target}; this host is {here}",
            hint="make one for this host: trtllm-install bundle create "
            f"--platform {here.platforms[0]} --python {here.python} FILE",
        )


def unpack(host: Host, path: str, folder: str, *, pinned: str = "", below: str = "") -> Manifest:
    """Unpack a bundle, or its part ``below``, into a new folder; twice read, once written.

    Raises ConfigError with nothing written, or ApplyFailed with the folder gone again.
    """
    if host.look(folder):
        raise ConfigError(f"cannot unpack into {folder}: it is there already", hint=f"ls {folder}")
    manifest = verify_bundle(host, path, pinned=pinned)
    above = posixpath.dirname(folder)
    needed = sum(file.size for file in manifest.files if file.path.startswith(below))
    if (free := host.free_bytes(above)) < needed:
        raise ApplyFailed(
            f"cannot unpack into {folder}: {needed} bytes are needed, {free} are free",
            hint=f"df -h {above}",
        )
    host.make_directory(folder, mode=0o700, owner="root")
    try:
        return unpack_bundle(host, path, folder, pinned=pinned, below=below)
    except BaseException:
        host.remove_tree(folder)
        raise
