"""Somebody who follows the documents on a host, word for word, and may use sudo."""

import shlex
import subprocess
from collections.abc import Collection, Mapping

from lab import checkout, documents, roots
from lab.documents import Block

USER = "ops"
HOME = f"/home/{USER}"
CHECKOUT = f"{HOME}/trtllm-install"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Reader:
    """Keeps what was followed, so that at the end nothing is left out."""

    def __init__(self, host: roots.Root) -> None:
        """Make the user, with a checkout of their own, on a host that has neither."""
        self._host = host
        self._followed: list[Block] = []
        # sudo passes no environment on, so pip is told where the wheels are by its own file.
        pip = f"[global]\nno-index = yes\nfind-links = {roots.WHEELS_INSIDE}\n"
        host.check("useradd", "--create-home", "--shell", "/bin/sh", USER)
        self.place("/etc/pip.conf", pip)
        self.place(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
        for path in checkout.files():
            name = path.relative_to(checkout.ROOT)
            self.place(f"{CHECKOUT}/{name}", path.read_bytes(), mode=path.stat().st_mode & 0o777)
        host.check("chown", "-R", f"{USER}:{USER}", HOME)

    def follow(
        self,
        document: str,
        *headings: str,
        given: Mapping[str, str] | None = None,
        instead: Mapping[str, str] | None = None,
        ends: Collection[int] = (0,),
        as_root: bool = False,
        only: str = "",
    ) -> str:
        """Run the blocks of a document, or of some of its parts, and return what was printed.

        ``given`` are variables that the reader has set, ``instead`` what they write for words
        that stand for something of their own, ``ends`` how a block may end. With ``only`` it
        is the one block that has this text in it.
        """
        told = [
            b
            for b in documents.blocks_of(document)
            if b.is_run and (not headings or b.heading in headings) and only in b.text
        ]
        assert told, f"{document} has no such block"
        assert not only or len(told) == 1, told
        return "\n".join(
            self._run(block, given or {}, instead or {}, ends, as_root=as_root) for block in told
        )

    def say(
        self, script: str, *, given: Mapping[str, str] | None = None, as_root: bool = False
    ) -> str:
        """Run what a document says in words, or what its reader does between two blocks."""
        ended = self._shell(script, given or {}, as_root=as_root)
        assert ended.returncode == 0, f"{script}\n{ended.stdout}"
        return ended.stdout

    def place(self, path: str, content: str | bytes, *, mode: int = 0o644) -> None:
        """Write a file on the host, root's."""
        file = self._host.tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)

    def left(self, names: Collection[str]) -> list[str]:
        """Return the blocks of these documents that can be run and were not."""
        return [
            block.where
            for name in names
            for block in documents.blocks_of(name)
            if block.is_run and block not in self._followed
        ]

    def skip(self, block: Block) -> None:
        """Count a block as followed that a story runs in a way of its own."""
        self._followed.append(block)

    def _run(
        self,
        block: Block,
        given: Mapping[str, str],
        instead: Mapping[str, str],
        ends: Collection[int],
        *,
        as_root: bool,
    ) -> str:
        script = block.text
        for word, meant in instead.items():
            script = script.replace(word, meant)  # not every block has every word
        ended = self._shell(script, given, as_root=as_root)
        assert ended.returncode in ends, f"{block.where}\n{script}\n{ended.stdout}"
        self._followed.append(block)
        return ended.stdout

    def _shell(
        self, script: str, given: Mapping[str, str], *, as_root: bool
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as a shell that a user has just logged in to; errors come in between."""
        variables = [f"{name}={shlex.quote(value)}" for name, value in given.items()]
        lines = ["exec 2>&1", *(f"export {v}" for v in variables), f"cd {CHECKOUT}", script]
        shell = ["sh", "-euc", "\n".join(lines)]
        user = [] if as_root else ["runuser", "--user", USER, "--"]
        home = "/root" if as_root else HOME
        return self._host.run(
            *("env", "--ignore-environment", f"PATH={_PATH}", "LANG=C.UTF-8", f"HOME={home}"),
            *user,
            *shell,
            timeout=240,
        )
