"""Finds the profiles that the operator wrote."""

from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout

SUFFIX: Final = ".yaml"


def probe_own_profiles(host: Host) -> tuple[str, ...]:
    """Return the path of each file; a folder, or a link that leads nowhere, is none.

    An editor leaves such links beside what it has open.
    """
    paths = (f"{layout.PROFILES}/{name}" for name in host.names_in(layout.PROFILES))
    found = ((path, host.look(host.resolve(path))) for path in paths if path.endswith(SUFFIX))
    return tuple(path for path, entry in found if entry and entry.kind == "file")
