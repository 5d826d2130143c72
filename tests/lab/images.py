"""Base root file systems and wheels, made once and kept outside the tree."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import tomllib

CHECKOUT = Path(__file__).resolve().parents[2]

# A base is what a minimal installation has. What bootstrap must install lies in
# apt's archive, downloaded and not installed, so that a root without a network
# goes through the real package install.
BASE_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "python3", "ca-certificates"),
    *("curl", "iproute2", "jq", "procps", "sudo"),
)
LATER_PACKAGES = ("python3-venv", "nginx", "libnginx-mod-http-lua", "lua-cjson")

# Older images go: security updates would drift away from what users get.
MAX_AGE_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A Debian release that roots are made of."""

    suite: str
    python: str


DEBIAN_12 = Release(suite="bookworm", python="3.11")
DEBIAN_13 = Release(suite="trixie", python="3.13")


def cache_folder() -> Path:
    """Return where images are kept: never inside the tree, which tests mount and hash."""
    return Path(os.environ.get("TRTLLM_LAB_CACHE", "/var/cache/trtllm-lab"))


def base_of(release: Release, *more: str) -> Path:
    """Return the folder of a base root file system, made now if none is fresh.

    ``more`` are packages that it has besides: what a fleet is reached by, and the like.
    """
    apt_hook = "apt-get clean && apt-get install --yes --download-only --no-install-recommends"
    recipe = [
        *(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=" + ",".join((*BASE_PACKAGES, *more)),
        ),
        *("--skip=cleanup/apt/lists", "--skip=cleanup/apt/cache"),
        f'--customize-hook=chroot "$1" sh -c "{apt_hook} {" ".join(LATER_PACKAGES)}"',
        # Each host gets an id of its own at boot; an empty file says so without
        # making it a "first boot", whose wizard asks questions. The builder's
        # resolver is nobody else's.
        '--customize-hook=: >"$1/etc/machine-id"; rm -f "$1/etc/resolv.conf"',
        '--customize-hook=echo lab >"$1/etc/hostname"',
        '--customize-hook=echo 127.0.0.1 localhost lab >"$1/etc/hosts"',
        release.suite,
    ]

    def build(folder: Path) -> None:
        _run([*recipe, str(folder / "root")])

    return _kept("-".join(("base", release.suite, *more)), recipe, build) / "root"


def ready_of(release: Release, *more: str) -> Path:
    """Return a base in which the packages are installed and none of their services is enabled."""
    base = base_of(release, *more)
    install = "apt-get install --yes --no-download --no-install-recommends"
    inside = f"{install} {' '.join(LATER_PACKAGES)} && systemctl disable nginx.service"

    def build(folder: Path) -> None:
        root = folder / "root"
        _run(["cp", "--archive", str(base), str(root)])
        policy = root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
        _run(["chroot", str(root), "sh", "-c", f"export DEBIAN_FRONTEND=noninteractive; {inside}"])
        policy.unlink()

    return _kept("-".join(("ready", release.suite, *more)), [str(base), inside], build) / "root"


def wheelhouse(releases: tuple[Release, ...] = (DEBIAN_12, DEBIAN_13)) -> Path:
    """Return a folder of wheels from which pip installs the checkout without a network."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    pythons = sorted(release.python for release in releases)

    def build(folder: Path) -> None:
        for python in pythons:
            _run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)),
                    *("--only-binary=:all:", "--python-version", python, *wanted),
                ],
            )

    return _kept("wheels", [*wanted, *pythons], build)


def _run(argv: list[str]) -> None:
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=600)
    if ended.returncode != 0:
        raise RuntimeError(f"cannot build a lab image: {argv[0]}: {ended.stderr[-2000:]}")


def _kept(kind: str, recipe: list[str], build: Callable[[Path], None]) -> Path:
    """Return the kept result of ``build`` for this recipe; two runs build it once."""
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:12]
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{kind}-{digest}"
    with _locked(cache / f"{kind}.lock"):
        if _is_fresh(folder):
            return folder
        for old in cache.glob(f"{kind}-{'[0-9a-f]' * 12}"):  # not "base-x-more-…", nor a lock
            if not _is_fresh(old):  # a fresh one may serve another checkout's run
                shutil.rmtree(old)
        making = Path(tempfile.mkdtemp(prefix=f"{kind}-making.", dir=cache))
        try:
            build(making)
            making.chmod(0o755)
            making.rename(folder)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
    return folder


def _is_fresh(folder: Path) -> bool:
    return folder.is_dir() and time.time() - folder.stat().st_mtime < MAX_AGE_S


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
