"""A root file system that is made as an image first, and booted later, as often as one likes."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import cgroup, images, roots


class ImageRoot(roots.Root):
    """An image that nothing runs in until ``boot``."""

    def __init__(self, release: images.Release) -> None:
        super().__init__(release)
        self._is_booted_by_systemd = False

    def make(self, *argv: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run the checkout's own trtllm-install on this machine, for the image."""
        program = "from trtllm_install.cli.main import main; raise SystemExit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, *argv, "--root", str(self.tree)],
            cwd=images.CHECKOUT / "installer",
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def run_before_boot(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command inside the image while it is made, as docs/howto/images.md does."""
        self._is_booted_by_systemd = False
        self.boot(by_systemd=False)
        try:
            return self.run(*argv, timeout=240)
        finally:
            self.halt()

    def boot(self, *, by_systemd: bool) -> None:
        """Start the image's systemd, or only a namespace that its programs can run in."""
        self._is_booted_by_systemd = by_systemd
        super()._boot()

    def halt(self) -> None:
        """Stop it; the tree stays."""
        assert self._nspawn is not None
        self._stop()
        self._nspawn.wait(timeout=60)
        cgroup.remove_groups(self._groups)
        self._nspawn, self._groups, self.leader = None, [], 0

    def _boot(self) -> None:
        """Wait for ``boot``."""

    def _kind(self) -> type[roots.Root]:
        return roots.BootedRoot if self._is_booted_by_systemd else roots.PlainRoot

    def _payload(self) -> Sequence[str]:
        return self._kind()._payload(self)

    def _is_up(self) -> bool:
        return self._kind()._is_up(self)

    def _stop(self) -> None:
        self._kind()._stop(self)


def machine_state() -> dict[str, bytes | bool]:
    """Return what an install of an image must leave alone on the machine that makes it."""
    files = ("/etc/passwd", "/etc/group", "/etc/shadow")
    paths = ("/etc/trtllm", "/var/lib/trtllm", "/run/trtllm", "/etc/systemd/system/trtllm.target")
    return {name: Path(name).read_bytes() for name in files} | {
        name: Path(name).exists() for name in paths
    }
