"""sd_notify without a library."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from trtllm_install.launcher.notify import Notifier


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.setblocking(False)
        yield sock


def received(sock: socket.socket) -> list[str]:
    messages = []
    try:
        while True:
            messages.append(sock.recv(4096).decode())
    except BlockingIOError:
        return messages


def test_no_child_inherits_the_supervisors_socket() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Notifier(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize("address", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_a_supervisor_that_does_not_listen_is_no_reason_to_fail(address: dict[str, str]) -> None:
    notifier = Notifier(dict(address))
    notifier.ready("healthy")
    notifier.stopping("stopped")
    assert notifier.beat(0) > 0


def test_ready_carries_the_status(listener: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": listener.getsockname()}).ready("healthy, loaded in 3 s")
    assert received(listener) == ["READY=1\nSTATUS=healthy, loaded in 3 s"]


def test_abstract_sockets_work() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0trtllm-test-{os.getpid()}")
        sock.setblocking(False)
        Notifier({"NOTIFY_SOCKET": f"@trtllm-test-{os.getpid()}"}).status("x")
        assert received(sock) == ["STATUS=x"]


def test_time_is_asked_for_until_ready_and_again_while_stopping(listener: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": listener.getsockname()})
    assert notifier.beat(100) == 10
    assert notifier.beat(105) == 5
    assert received(listener) == ["EXTEND_TIMEOUT_USEC=60000000"]
    notifier.ready("r")
    assert notifier.beat(120) == 60
    notifier.stopping("s")
    notifier.beat(121)
    assert received(listener)[2:] == ["EXTEND_TIMEOUT_USEC=60000000"]


def test_the_watchdog_is_fed_at_half_its_interval(listener: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "8000000"}
    notifier = Notifier({**environment, "WATCHDOG_PID": str(os.getpid())})
    notifier.extending = False
    assert [notifier.beat(now) for now in (100, 103, 104)] == [4, 1, 4]
    assert received(listener) == ["WATCHDOG=1", "WATCHDOG=1"]


def test_a_watchdog_for_another_process_is_not_ours(listener: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "8000000"}
    notifier = Notifier({**environment, "WATCHDOG_PID": "1"})
    notifier.extending = False
    notifier.beat(100)
    assert received(listener) == []
