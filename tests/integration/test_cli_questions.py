"""`uninstall --purge` asks on a real terminal; whatever comes instead of a yes, all stays."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select

import pytest

from fakes.heard import Heard
from fakes.image_tree import image_tree
from lab import checkout, needs
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.host.image import ImageHost
from trtllm_install.model import layout

PROGRAM = "import sys; from trtllm_install.cli.main import main; sys.exit(main())"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs.require_root()  # files get the owners of the image
    made = image_tree(tmp_path_factory.mktemp("question") / "image")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: None)  # no power is cut here, and it takes seconds
        install(ImageHost(str(made)), Options(profile="qwen", simulate=True), Heard())
    return made


class Asked:
    """The command in a session of its own, at its question."""

    def __init__(self, tree: Path) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            words = ("uninstall", "--root", str(tree), "--purge")
            environment = {**os.environ, "PYTHONPATH": str(checkout.ROOT / "installer")}
            os.execve(sys.executable, [sys.executable, "-c", PROGRAM, *words], environment)
        self.said = b""
        self.hear(until=b"[y/N] ")

    def hear(self, until: bytes = b"") -> None:
        """Read until something is said, or the terminal is let go."""
        while not until or until not in self.said:
            assert select([self.terminal], [], [], 60)[0], self.said
            try:
                heard = os.read(self.terminal, 65536)
            except OSError:  # nobody has it open any more
                return
            if not heard:
                return
            self.said += heard

    def type(self, *keys: bytes) -> None:
        for key in keys:
            os.write(self.terminal, key)

    def hang_up(self) -> None:
        os.close(self.terminal)
        self.terminal = -1

    def end(self) -> int:
        """Return the exit code; a test that waits for ever is ended by its own limit."""
        if self.terminal >= 0:
            self.hear()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def clear(self) -> None:
        if self.terminal >= 0:
            os.close(self.terminal)


@pytest.fixture
def asked(tree: Path) -> Iterator[Asked]:
    process = Asked(tree)
    yield process
    process.clear()


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("deed", "code", "says"),
    [
        (lambda asked: asked.type(b"\x03"), 130, b"interrupted"),
        (lambda asked: asked.type(b"y", b"\x03"), 130, b"interrupted"),
        (lambda asked: asked.type(b"\x04"), 2, b"not purged: you did not say yes"),
        (lambda asked: asked.type(b"y", b"\x04"), 2, b"not purged: you did not say yes"),
        (lambda asked: os.kill(asked.pid, signal.SIGTERM), 130, b"interrupted by SIGTERM"),
        (lambda asked: asked.hang_up(), 130, b""),
    ],
    ids=["ctrl-c", "y ctrl-c", "ctrl-d", "y ctrl-d", "SIGTERM", "hang-up"],
)
def test_whatever_is_no_yes_ends_it_and_takes_nothing(
    tree: Path, asked: Asked, deed: Callable[[Asked], None], code: int, says: bytes
) -> None:
    receipt = (tree / layout.RECEIPT.lstrip("/")).read_bytes()
    deed(asked)
    assert asked.end() == code
    assert says in asked.said
    assert b"Traceback" not in asked.said
    assert b"bug" not in asked.said
    assert (tree / layout.RECEIPT.lstrip("/")).read_bytes() == receipt


def test_a_yes_takes_all_of_it(tree: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "--archive", str(tree), str(tmp_path / "image")], check=True)
    process = Asked(tmp_path / "image")
    process.type(b"y\n")
    assert process.end() == 0
    process.clear()
    assert not (tmp_path / "image" / layout.RECEIPT.lstrip("/")).exists()
