"""Finds the Python that an engine is built with."""

from collections.abc import Sequence
from dataclasses import dataclass

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError

_ASK = "import sys\nprint('%d.%d' % sys.version_info[:2])\nimport ensurepip, venv\nprint('venv')\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python of this host."""

    path: str
    version: str  # for example "3.12"
    makes_venvs: bool  # its venv and ensurepip modules are there


def find_interpreter(host: Host, versions: Sequence[str], named: str = "") -> Interpreter | None:
    """Return the Python that was named, else the first of ``versions`` that is here.

    One without its venv module is returned only when no complete one is found. None
    when there is none, or when the named one does not run.
    """
    found = [seen for path in _places(host, versions, named) if (seen := _ask(host, path))]
    return next((seen for seen in found if seen.makes_venvs), found[0] if found else None)


def _places(host: Host, versions: Sequence[str], named: str) -> list[str]:
    """The distribution's own first, then those that were put beside our engines."""
    if named:
        return [named]
    own = [path for version in versions if (path := host.which(f"python{version}"))]
    brought = [
        path
        for version in versions
        for name in host.names_in(layout.PYTHONS)
        if host.look(path := f"{layout.PYTHONS}/{name}/bin/python{version}")
    ]
    return own + brought


def _ask(host: Host, path: str) -> Interpreter | None:
    try:
        ended = host.run([path, "-I", "-c", _ASK], timeout=20.0)
    except HostError:
        return None
    lines = ended.stdout.split()
    if not lines:
        return None
    return Interpreter(path=path, version=lines[0], makes_venvs=lines[1:] == ["venv"])
