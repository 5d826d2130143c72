"""apt and dpkg of a fake Debian: three packages for the proxy, and one that they need."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fakes.fake_host import FakeHost, Node
from fakes.fake_systemd import MODULES, NGINX, debian
from trtllm_install.host.protocol import Completed

LUA_C = "/usr/lib/x86_64-linux-gnu/lua/5.1"
MPI_4 = r"?exact-name(openmpi-bin)?architecture(amd64)?version(^4\.)"
PROXY = ("nginx-common", "nginx", "libnginx-mod-http-lua", "lua-cjson")
FILES = {
    "nginx-common": ("/lib/systemd/system/nginx.service",),
    "nginx": (NGINX,),
    "libnginx-mod-http-lua": (
        f"{MODULES}/ndk_http_module.so",
        f"{MODULES}/ngx_http_lua_module.so",
        "/usr/share/lua/5.1/resty/core.lua",
    ),
    "lua-cjson": (f"{LUA_C}/cjson.so",),
    "openmpi-bin": ("/usr/bin/mpirun",),
}


def planned(new: Mapping[str, str], changed: Mapping[str, str] | None = None) -> str:
    """Return what apt-get prints of a plan: versions by name, of upgrades "OLD => NEW"."""
    titles = {"NEW packages will be installed": new, "packages will be upgraded": changed or {}}
    lines = [
        f"The following {title}:\n"
        + "".join(f"   {name} ({version})\n" for name, version in listed.items())
        for title, listed in titles.items()
        if listed
    ]
    totals = f"{len(changed or {})} upgraded, {len(new)} newly installed, 0 to remove and 7 not "
    return "".join(["Reading package lists...\n", *lines, totals, "upgraded.\n"])


def dpkg_words(name: str) -> str:
    """Return what apt-get prints when the script of a package ends with 3."""
    said = (
        f"Setting up {name} (1) ...\nno rank for this host\n"
        f"dpkg: error processing package {name} (--configure):\n"
        f" installed {name} package post-installation script subprocess returned error "
        f"exit status 3\nErrors were encountered while processing:\n {name}\n"
        "E: Sub-process /usr/bin/dpkg returned an error code (1)\n"
    )
    return said.replace("\n", "\n\n")  # on a terminal of apt's own its lines end with CR LF


@dataclass(slots=True)
class FakeApt:
    """What is installed is what lies in the tree; what apt is told is remembered."""

    host: FakeHost
    mpi: str = "4.1.4-3"
    needs: dict[str, str] = field(default_factory=dict)  # package of ours → who needs it
    refuses: str = ""  # apt's own words
    fails: int = 0  # so many downloads
    hollow: tuple[str, ...] = ()  # installed, and their files are gone
    breaks: str = ""  # a package that dpkg unpacks and cannot configure
    clings: str = ""  # one that cannot be purged
    told: list[tuple[str, ...]] = field(default_factory=list)  # all but questions

    def __post_init__(self) -> None:
        """Announce the commands, and take away what packages would bring."""
        for program in ("apt-get", "dpkg", "systemctl"):
            self.host.add_program(f"/usr/bin/{program}")
        self.host.add_directory("/usr/sbin")
        for folder in ("/lib/systemd/system", LUA_C, "/usr/share/lua/5.1/resty", MODULES):
            self.host.add_directory(folder)
        self.host.add_file("/var/lib/apt/lists/deb_main_Packages")
        for path in ("/usr/lib/lua/5.1/cjson.so", *(p for paths in FILES.values() for p in paths)):
            self.host.nodes.pop(path, None)
        self.host.answer_command(["dpkg", "--print-architecture"], "amd64\n")
        self.host.answer_command(["dpkg", "--audit"], "")
        for ask in ("is-active", "is-enabled"):
            self.host.answer_command(["systemctl", ask, "nginx.service"], "disabled\n", code=1)
        self.host.answer_command(["dpkg-query"], by=self._query)
        self.host.answer_command(["apt-get"], by=self._apt_get)
        self.host.answer_command(["apt-cache", "policy", "openmpi-bin"], by=self._policy)

    @property
    def installed(self) -> set[str]:
        """Return the packages whose files are there."""
        return {n for n, paths in FILES.items() if all(p in self.host.nodes for p in paths)}

    def bundle(self, *names: str) -> str:
        """Return a folder with the files of these packages."""
        folder = "/staging/packages"
        for name in names:
            path = f"{folder}/{name}_1_amd64.deb"
            self.host.add_file(path)
            said = f"Package: {name}\nDepends: {'nginx-common' if name == 'nginx' else ''}\n"
            self.host.answer_command(["dpkg-deb", "--field", path], said)
        return folder

    def _query(self, argv: tuple[str, ...], _: str) -> Completed:
        if "Depends" in argv[2]:
            lines = [f"{who}\t {name} (>= 1)\n" for name, who in self.needs.items()]
            return self._said(argv, "".join(line for line in lines if line.split()[0] in argv))
        if "${Package}" in argv[2]:
            names = self.installed.union(self.hollow).intersection(argv)
            return self._said(argv, "".join(f"{name} installed\n" for name in names))
        here = "installed" if argv[-1] in self.installed else ""
        return Completed(argv=argv, code=0 if here else 1, stdout=here, stderr="")

    def _policy(self, argv: tuple[str, ...], _: str) -> Completed:
        here = f"  Installed: (none)\n  Candidate: {self.mpi or '(none)'}\n  Version table:\n"
        return self._said(argv, f"{argv[-1]}:\n{here}")

    def _means(self, word: str, name: str) -> bool:
        """Tell whether this argument names the package: by name, file or version."""
        if name == "openmpi-bin" and word == MPI_4:
            return self.mpi.startswith("4.")
        return word.rpartition("/")[2].partition("_")[0] == name

    def _apt_get(self, argv: tuple[str, ...], _: str) -> Completed:
        names = [name for word in argv for name in FILES if self._means(word, name)]
        if "update" in argv:
            self.told.append(("update",))
            return self._said(argv, "")
        if "--simulate" in argv:
            return self._purged_with(argv, names)
        if "--print-uris" in argv:
            return self._planned(argv, names)
        word = next(w for w in ("--download-only", "purge", "install") if w in argv)
        self.told.append((word, *names))
        if word == "--download-only" and self.fails:
            self.fails -= 1
            return self._said(argv, "", code=100, errors="E: Failed to fetch it  404 Not Found\n")
        return self._said(argv, "") if word == "--download-only" else self._dpkg(argv, word, names)

    def _dpkg(self, argv: tuple[str, ...], word: str, names: list[str]) -> Completed:
        """Install or purge; what breaks stays half configured, and what clings stays."""
        paths = [path for name in names for path in FILES[name]]
        refused = self.breaks if word == "install" else self.clings
        if word == "install":
            self.host.nodes.update({path: Node(kind="file", mode=0o755) for path in paths})
        elif refused not in names:
            for path in paths:
                self.host.nodes.pop(path, None)
        if refused in names:
            return self._said(argv, dpkg_words(refused), code=100)
        return self._said(argv, "")

    def _purged_with(self, argv: tuple[str, ...], names: list[str]) -> Completed:
        gone = [*names, *(who for name, who in self.needs.items() if name in names)]
        return self._said(argv, "".join(f"Purg {name} [1]\n" for name in gone))

    def _planned(self, argv: tuple[str, ...], names: list[str]) -> Completed:
        if self.refuses:
            return self._said(argv, "", code=100, errors=f"E: {self.refuses}\n")
        wanted = [*(["nginx-common"] if "nginx" in names else []), *names]
        versions = {name: self.mpi if name == "openmpi-bin" else "1.22.1-9" for name in wanted}
        return self._said(
            argv,
            planned(
                {n: v for n, v in versions.items() if n not in {*self.installed, *self.hollow}}
            ),
        )

    def _said(
        self, argv: tuple[str, ...], text: str, *, code: int = 0, errors: str = ""
    ) -> Completed:
        return Completed(argv=argv, code=code, stdout=text, stderr=errors)


def bare_debian() -> tuple[FakeHost, FakeApt]:
    """Return a Debian without the packages that we need."""
    host = debian()
    return host, FakeApt(host)
