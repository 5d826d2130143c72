"""Finds OpenResty, else the distribution's nginx, and what of ngx_lua lies beside it."""

import posixpath
import re
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError
from trtllm_install.model.facts import ProxyBinary, Unknown
from trtllm_install.probes.packages import package_version

OPENRESTY: Final = ("/usr/local/openresty/nginx/sbin/nginx", "/usr/bin/openresty")
MODULES: Final = {  # in load order: ngx_lua needs the development kit first
    "ndk_http_module.so": "libnginx-mod-http-ndk",
    "ngx_http_lua_module.so": "libnginx-mod-http-lua",
}
LUA_FOLDERS: Final = ("/usr/share/lua/5.1", "/usr/local/share/lua/5.1", "/usr/share/luajit-2.1")
LUA_C_FOLDERS: Final = ("/usr/lib64/lua/5.1", "/usr/local/lib/lua/5.1", "/usr/lib/lua/5.1")

_SENTENCES: Final = (b"nginx version: ", b"configure arguments: ")


def probe_proxy_binary(host: Host) -> ProxyBinary | Unknown | None:
    """Return the program that would run the proxy, None where there is neither."""
    try:
        path = host.which("openresty") or next((p for p in OPENRESTY if _is_file(host, p)), None)
        path = path or host.which("nginx")
        if path is None:
            return None
        build, code = _built_with(host, path)
        stated = re.search(r"version: (nginx|openresty)/(\S+)", build)
        if code != 0 or stated is None:
            said = (build.strip() or "nothing").splitlines()[-1]
            return Unknown(reason=f"{path} -V ended with {code} and said: {said[:200]}")
        if stated[1] == "openresty":
            return _openresty(host, path, stated[2], build)
        return _nginx(host, path, stated[2], build)
    except HostError as error:
        return Unknown(reason=error.message)


def _built_with(host: Host, path: str) -> tuple[str, int]:
    """Return what ``-V`` says and its exit code; of an image what the program would say.

    Both sentences are whole in the program's text (ngx_show_version_info), so that an
    image for another machine can be read as well.
    """
    if not host.image():
        ended = host.run([path, "-V"])
        return ended.stderr + ended.stdout, ended.code  # nginx talks on standard error
    program = host.read(path) or b""
    said = (re.search(rb"%s[^\0]*" % words, program) for words in _SENTENCES)
    return "\n".join(match[0].decode(errors="replace") for match in said if match), 0


def _openresty(host: Host, path: str, version: str, build: str) -> ProxyBinary:
    """OpenResty has ngx_lua, resty.core and cjson built in or in its own lualib."""
    prefix = _option(build, "prefix") or "/usr/local/openresty/nginx"
    lualib = posixpath.join(posixpath.dirname(prefix.rstrip("/")), "lualib")
    there = bool(host.names_in(lualib))
    return ProxyBinary(
        kind="openresty",
        path=path,
        version=version,
        lua_path=f"{lualib}/?.lua;;" if there else ";;",
        lua_cpath=f"{lualib}/?.so;;" if there else ";;",
        package=package_version(host, path, "openresty"),
    )


def _nginx(host: Host, path: str, version: str, build: str) -> ProxyBinary:
    folder = _option(build, "modules-path") or "/usr/lib/nginx/modules"
    modules, missing = [], []
    if not re.search(r"--add-module=\S*lua", build):  # else it is part of the program
        for name, package in MODULES.items():
            if _is_file(host, f"{folder}/{name}"):
                modules.append(f"{folder}/{name}")
            else:
                missing.append(package)
    core = next((f for f in LUA_FOLDERS if _is_file(host, f"{f}/resty/core.lua")), None)
    cjson = next((f for f in _c_folders(host) if _is_file(host, f"{f}/cjson.so")), None)
    if core is None:
        missing.append("lua-resty-core")
    if cjson is None:
        missing.append("lua-cjson")
    return ProxyBinary(
        kind="nginx",
        path=path,
        version=version,
        modules=tuple(modules),
        lua_path=f"{core}/?.lua;;" if core else ";;",
        lua_cpath=f"{cjson}/?.so;;" if cjson else ";;",
        missing=tuple(missing),
        package=package_version(host, path, "nginx"),
    )


def _c_folders(host: Host) -> tuple[str, ...]:
    """Return where C modules of Lua 5.1 may lie, the multiarch folders first."""
    multiarch = (n for n in host.names_in("/usr/lib") if n.endswith("-linux-gnu"))
    return (*(f"/usr/lib/{n}/lua/5.1" for n in multiarch), *LUA_C_FOLDERS)


def _option(build: str, name: str) -> str:
    stated = re.search(rf"--{name}=(\S+)", build)
    return stated[1] if stated else ""


def _is_file(host: Host, path: str) -> bool:
    entry = host.look(host.resolve(path))
    return entry is not None and entry.kind == "file"
