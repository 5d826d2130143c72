"""A watched host does what the host does, and tells."""

from typing import TYPE_CHECKING

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.host.watched import watched
from trtllm_install.model.errors import HostError

if TYPE_CHECKING:
    from trtllm_install.host.protocol import Host


class Watcher:
    def __init__(self, host: FakeHost) -> None:
        self.ran: list[tuple[tuple[str, ...], int | None, float, str]] = []
        self.writes = 0
        self.host: Host = watched(host, ran=self._ran, writes=self._write)

    def _ran(self, argv: object, code: int | None, seconds: float, said: str) -> None:
        self.ran.append((tuple(argv), code, seconds, said))  # type: ignore[arg-type]

    def _write(self) -> None:
        self.writes += 1


def test_commands_are_told_with_their_code_their_time_and_what_a_failure_said() -> None:
    host = FakeHost()
    host.answer_command(["true"], "fine\n", takes=2.0)
    host.answer_command(["false"], code=3, stderr="one\ntwo\n")
    watcher = Watcher(host)
    assert watcher.host.run(["true"]).stdout == "fine\n"
    assert watcher.host.run(["false"]).code == 3
    assert watcher.ran == [(("true",), 0, 2.0, ""), (("false",), 3, 0.0, "one\ntwo")]


def test_a_command_that_cannot_be_started_is_told_and_still_raised() -> None:
    watcher = Watcher(FakeHost())
    with pytest.raises(HostError):
        watcher.host.run(["nothing"])
    assert watcher.ran[0][1] is None


def test_a_write_is_told_before_it_is_made_and_reading_is_not() -> None:
    watcher = Watcher(FakeHost())
    assert watcher.host.look("/etc") is not None
    assert watcher.writes == 0
    watcher.host.write("/etc/x", b"x", mode=0o644, owner="root")
    assert (watcher.writes, watcher.host.read("/etc/x")) == (1, b"x")
