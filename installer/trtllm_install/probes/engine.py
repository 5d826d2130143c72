"""Finds the engine's server program and its version, without running it."""

import posixpath
import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import EngineFacts, Unknown

SIMULATED: Final = "trtllm-serve-simulated"
_PACKAGE: Final = re.compile(r"tensorrt_llm-([^-]+)\.dist-info")


def probe_engine(host: Host, path: str | None = None) -> EngineFacts | Unknown:
    """Return the engine at ``path``, by default the current one of the layout.

    The version is the name of the package's folder: importing TensorRT-LLM takes
    tens of seconds and needs a GPU.
    """
    wanted = path or layout.trtllm_serve()
    try:
        real = host.resolve(wanted)
        entry = host.look(real)
        if entry is None or entry.kind != "file" or not entry.mode & 0o111:
            return EngineFacts(path=wanted, present=False)
        return EngineFacts(
            path=wanted,
            present=True,
            version=_version(host, wanted) or _version(host, real),
            simulated=_is_simulated(host, wanted, real),
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _version(host: Host, program: str) -> str:
    """Return the version of the package in the virtual environment of ``program``."""
    home = posixpath.dirname(posixpath.dirname(program))
    for python in host.names_in(f"{home}/lib"):
        for name in host.names_in(f"{home}/lib/{python}/site-packages"):
            if stated := _PACKAGE.fullmatch(name):
                return stated[1]
    return ""


def _is_simulated(host: Host, path: str, real: str) -> bool:
    """Tell by the program's name, its folder's name or the module that its script starts."""
    folder = host.resolve(posixpath.dirname(posixpath.dirname(path)))
    if posixpath.basename(real) == SIMULATED or "simulated" in posixpath.basename(folder):
        return True
    return b"trtllm_install.simulator" in (host.read(real, limit=4096) or b"")
