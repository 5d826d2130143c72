"""Looks for what an engine compiles with while it runs, and for the Python it runs on."""

import posixpath
import re

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import Unknown
from trtllm_install.model.facts.host import Compilers


def probe_compilers(host: Host, engine_path: str | None = None) -> Compilers | Unknown:
    """Return C and C++ compiler, and the engine's Python with its header; runs none of them."""
    try:
        program = host.resolve(engine_path or layout.trtllm_serve())
        python, version, gone, headers = _python(host, posixpath.dirname(program))
        return Compilers(
            cc=host.which("cc") or host.which("gcc"),
            cxx=host.which("c++") or host.which("g++"),
            python=python,
            version=version,
            python_gone=gone,
            headers=headers,
        )
    except HostError as error:
        return Unknown(reason=error.message)


def _python(host: Host, folder: str) -> tuple[str, str, str, str | None]:
    """Return an environment's Python, its version, where a dead link leads, and its header."""
    path = f"{folder}/python3"
    if host.look(path) is None:
        return "", "", "", ""
    real = host.resolve(path)
    if host.look(real) is None:
        return path, "", real, ""
    version = re.fullmatch(r"python(3\.\d+)", posixpath.basename(real))
    if version is None:
        return path, "", "", ""
    header = f"{posixpath.dirname(posixpath.dirname(real))}/include/python{version[1]}/Python.h"
    return path, version[1], "", header if host.look(host.resolve(header)) else None
