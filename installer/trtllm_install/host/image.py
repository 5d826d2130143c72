"""An image tree that will be a host once it is booted: ``--root DIR``."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import sha256
from typing import NoReturn

from trtllm_install.host import locking
from trtllm_install.host.accounts import Accounts, TreeAccounts
from trtllm_install.host.local import LocalHost
from trtllm_install.host.protocol import Answer, Completed, Talk, Trust
from trtllm_install.model.errors import HostError


class ImageHost(LocalHost):
    """Host below a folder: every path, link, user and group is the image's own.

    Nothing of the image is run, and nothing of the machine that it is made on is read or
    changed. Files get the numbers that the image's own passwd and group give their owners.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder)
        self._may_chown = self.is_root()
        self._tree_accounts = TreeAccounts(self.read)

    @property
    def _accounts(self) -> Accounts:
        return self._tree_accounts

    def _named(self, path: str) -> str:
        return f"{path} of {self._root}"

    def image(self) -> str:
        """See Host.image."""
        return self._root

    def environment(self, name: str) -> str | None:  # noqa: ARG002 (nobody's)
        """Return None: whoever makes an image is not who calls on the host."""
        return None

    def can_bind(self, address: str, port: int) -> bool:  # noqa: ARG002
        """Return true: nothing runs in an image."""
        return True

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,  # noqa: ARG002 (the shape of Host)
        environment: Mapping[str, str] | None = None,  # noqa: ARG002
        stdin: str = "",  # noqa: ARG002
    ) -> Completed:
        """Raise HostError."""
        self._refuse(argv)

    def follow(
        self,
        argv: Sequence[str],
        *,
        heard: Callable[[str], None],  # noqa: ARG002
        tick: Callable[[], bool],  # noqa: ARG002
        silence: float,  # noqa: ARG002
        environment: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> int:
        """Raise HostError."""
        self._refuse(argv)

    def http(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,  # noqa: ARG002
        headers: Mapping[str, str] | None = None,  # noqa: ARG002
        timeout: float = 5.0,  # noqa: ARG002
        unix_socket: str | None = None,  # noqa: ARG002
        trust: Trust | None = None,  # noqa: ARG002
    ) -> Answer:
        """Raise HostError."""
        raise HostError(f"cannot ask {method} {url}: nothing runs in an image", hint="boot it")

    def time_http(
        self,
        method: str,
        urls: Sequence[str],
        *,
        body: bytes,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        times: int,  # noqa: ARG002
    ) -> tuple[tuple[float, ...], ...]:
        """Raise HostError."""
        raise HostError(f"cannot {method} {urls[0]}: nothing runs in an image", hint="boot it")

    def talk(
        self,
        address: tuple[str, int],
        sent: bytes,  # noqa: ARG002
        *,
        drip: bytes = b"",  # noqa: ARG002
        timeout: float,  # noqa: ARG002
    ) -> Talk:
        """Raise HostError."""
        raise HostError(f"cannot reach {address}: nothing runs in an image", hint="boot it")

    def lock(
        self, path: str, *, patience: float = 0.0, told: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold a lock of this machine that belongs to the image: none is left in the tree."""
        stem, _, ending = path.rpartition(".")
        tree = sha256(self._root.encode()).hexdigest()[:12]
        return locking.lock(f"{stem}-{tree}.{ending}", patience=patience, told=told)

    def _refuse(self, argv: Sequence[str]) -> NoReturn:
        raise HostError(
            f"cannot run {argv[0]} in {self._root}: nothing of an image is run",
            hint="boot the image, and run it there",
        )
