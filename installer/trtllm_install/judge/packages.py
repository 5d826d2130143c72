"""What lacks and a package would supply, and the proxy that its packages will be."""

from collections.abc import Iterable, Iterator
from typing import Final

from trtllm_install.model.facts import Facts, PackageFacts, ProxyBinary, SystemFacts
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

PROXY: Final = ("nginx", "libnginx-mod-http-lua", "lua-cjson")
OPEN_MPI_PACKAGE: Final = "openmpi-bin"
_NGINX: Final = "/usr/sbin/nginx"  # Debian's; its packages do nothing for another one
_MODULES: Final = "/usr/lib/nginx/modules"
_TRIPLETS: Final = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}


def lacking_packages(facts: Facts, installation: Installation) -> tuple[str, ...]:
    """Return Debian's packages for what lacks, in the order in which they are named to people."""
    names: list[str] = []
    if installation.proxy and facts.proxy is None:
        names += PROXY
    elif isinstance(facts.proxy, ProxyBinary) and facts.proxy.path == _NGINX:
        names += facts.proxy.missing
    system = facts.system
    if not installation.simulate and isinstance(system, SystemFacts) and system.open_mpi is None:
        names.append(OPEN_MPI_PACKAGE)
    return tuple(names)


def necessary(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` without which nothing is served; a warning asks for the others."""
    return tuple(name for name in names if name != OPEN_MPI_PACKAGE)


def brought(facts: Facts) -> tuple[str, ...]:
    """Return the packages that install will bring, of those that were asked for."""
    return facts.packages.wanted if facts.packages and facts.packages.can_bring else ()


def expected_proxy(facts: Facts) -> ProxyBinary | None:
    """Return the proxy's program as it will be once packages are installed; None = not known.

    Where Debian's packages put things: debian/rules of nginx (--modules-path), of
    lua-resty-core and of lua-cjson, the same in 12 and 13.
    """
    known = facts.proxy if isinstance(facts.proxy, ProxyBinary) else None
    if not necessary(brought(facts)):
        return known
    triplet = _TRIPLETS[facts.packages.architecture] if facts.packages else ""
    return ProxyBinary(
        kind="nginx",
        path=_NGINX,
        version=known.version if known else "",
        modules=(f"{_MODULES}/ndk_http_module.so", f"{_MODULES}/ngx_http_lua_module.so"),
        lua_path="/usr/share/lua/5.1/?.lua;;",
        lua_cpath=f"/usr/lib/{triplet}/lua/5.1/?.so;;",
    )


def check_packages(facts: Facts, installation: Installation) -> Iterator[Finding]:  # noqa: ARG001
    """Say what install brings, or why the distribution cannot bring it."""
    packages = facts.packages
    if packages is None or packages.manager != "apt" or not packages.wanted:
        return
    if packages.problem:
        yield found(
            "packages-unavailable",
            ", ".join(packages.wanted),
            what=packages.problem,
            expected="packages that apt can install without changing others",
            remedy=f"sudo apt-get install --reinstall {' '.join(packages.hollow)}"
            if packages.hollow
            else f"sudo apt-get update && sudo apt-get install {' '.join(packages.wanted)}",
        )
    else:
        yield found("packages-absent", ", ".join(packages.wanted), what="install brings them")


def is_supported(packages: PackageFacts) -> bool:
    """Tell whether we know where packages of this architecture put their files."""
    return packages.architecture in _TRIPLETS
