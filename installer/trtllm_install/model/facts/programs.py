"""Programs that have to be there."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyBinary:
    """An OpenResty or nginx, and what of ngx_lua was found with it."""

    kind: Literal["openresty", "nginx"]
    path: str
    version: str
    modules: tuple[str, ...] = ()  # absolute paths for load_module, in order
    lua_path: str = ""
    lua_cpath: str = ""
    missing: tuple[str, ...] = ()  # Debian packages that would supply what lacks
    package: str = ""  # "1.22.1-9+deb12u1": version of the package it came in, if it came in one


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorFacts:
    """What could start our services here."""

    init: str  # name of process 1, empty where it could not be read
    systemd: bool  # systemd is process 1
    systemd_version: int | None
    supervisord: str | None  # path of the program


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """The engine's server program."""

    path: str
    present: bool
    version: str = ""  # empty where no package data says it
    simulated: bool = False
    builder: str | None = ""  # a Python that could build it; None = none here, "" = not looked for
