"""The child's output on its way to the log."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

import pytest

from trtllm_install.launcher.output import TAIL_BYTES, TAIL_LINES, Output


class Pipes:
    def __init__(self) -> None:
        self.source, self.feed = os.pipe()
        self.log, sink = os.pipe()
        os.set_blocking(self.log, False)
        self.sink = sink
        self.output = Output(self.source, sink, probe_paths=("/health", "/health_generate"))

    def write(self, data: bytes) -> None:
        os.write(self.feed, data)
        self.output.pump()

    def read(self) -> bytes:
        data = b""
        try:
            while chunk := os.read(self.log, 1 << 16):
                data += chunk
        except BlockingIOError:
            pass
        return data


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    made = Pipes()
    yield made
    for fd in (made.source, made.feed, made.log, made.sink):
        with contextlib.suppress(OSError):
            os.close(fd)


def test_lines_are_passed_on_whole(pipes: Pipes) -> None:
    pipes.write(b"one\ntw")
    assert pipes.read() == b"one\n"
    pipes.write(b"o\n")
    assert pipes.read() == b"two\n"
    assert pipes.output.tail() == ["one", "two"]
    assert pipes.output.lines == 2


def test_the_last_words_without_a_newline_are_kept(pipes: Pipes) -> None:
    pipes.write(b"Segmentation fault")
    os.close(pipes.feed)
    pipes.output.drain()
    assert pipes.output.ended
    assert pipes.output.tail() == ["Segmentation fault"]
    assert pipes.read() == b"Segmentation fault\n"


def test_output_that_stays_open_does_not_hold_the_drain(pipes: Pipes) -> None:
    pipes.write(b"half a line")
    pipes.output.drain()
    assert not pipes.output.ended
    assert pipes.output.tail() == ["half a line"]


def test_lines_that_our_probes_cause_are_no_sign_of_life(pipes: Pipes) -> None:
    pipes.write(b'INFO: "GET /health HTTP/1.1" 200\nINFO: "GET /health_generate HTTP/1.1" 200\n\n')
    assert pipes.output.signs == 0
    pipes.write(b'INFO: "POST /v1/chat/completions HTTP/1.1" 200\n')
    assert pipes.output.signs == 1


def test_the_tail_is_bounded_in_lines_and_bytes(pipes: Pipes) -> None:
    for number in range(500):
        pipes.write(b"%d\n" % number)
        pipes.read()
    assert len(pipes.output.tail()) == TAIL_LINES
    assert pipes.output.tail()[-1] == "499"
    for _ in range(60):
        pipes.write(b"x" * 3000 + b"\n")
        pipes.read()
    assert sum(map(len, pipes.output.tail())) <= TAIL_BYTES


def test_binary_and_control_characters_are_readable_in_the_last_line(pipes: Pipes) -> None:
    pipes.write(b"\x1b[31m\xff red\x00\n   \n")
    assert pipes.output.last_line().isprintable()
    assert "red" in pipes.output.last_line()


def test_a_log_that_takes_nothing_costs_lines_and_never_stops_the_engine(pipes: Pipes) -> None:
    for _ in range(40):
        pipes.write(b"0123456789abcde\n" * 1024)
    assert pipes.output.lines == 40 * 1024
    pipes.read()
    pipes.write(b"after\n")
    text = pipes.read().decode()
    assert "lines dropped, the log took none" in text
    assert text.endswith("after\n")


def test_a_log_that_is_gone_is_no_reason_to_fail(pipes: Pipes) -> None:
    os.close(pipes.log)
    pipes.write(b"one\n")
    assert pipes.output.tail() == ["one"]


def test_a_progress_bar_counts_as_progress_while_it_is_drawn(pipes: Pipes) -> None:
    """A bar of tqdm is drawn with carriage returns, without a newline until it is done."""
    heard: list[bytes] = []
    pipes.output.listener = heard.append
    for percent in (0, 10, 10, 20):
        pipes.write(b"\rLoading weights: %3d%%|" % percent)
    assert pipes.output.last_line() == "Loading weights:  20%|"
    assert pipes.output.signs == 3
    assert pipes.read() == b""
    pipes.write(b"\rLoading weights: 100%|\nModel init total\n")
    assert pipes.read() == b"Loading weights: 100%|\nModel init total\n"
    assert pipes.output.tail() == ["Loading weights: 100%|", "Model init total"]
    assert heard[-2:] == [b"Loading weights: 100%|", b"Model init total"]


def test_lines_of_another_system_end_with_their_text(pipes: Pipes) -> None:
    pipes.write(b"one\r\ntwo\r\n")
    assert pipes.output.tail() == ["one", "two"]


def test_binary_output_reaches_the_log_and_not_the_terminal_of_whoever_asks(pipes: Pipes) -> None:
    pipes.write(b"\x1b[2J\x00\xff\x07gone\n")
    assert pipes.read() == b"\x1b[2J\x00\xff\x07gone\n"
    assert pipes.output.last_line().isprintable()
    assert all(line.isprintable() for line in pipes.output.tail())


def test_a_line_of_megabytes_is_passed_on_in_pieces_and_not_kept(pipes: Pipes) -> None:
    fcntl.fcntl(pipes.sink, fcntl.F_SETPIPE_SZ, 1 << 20)  # a log that takes what comes
    passed = 0
    for _ in range(64):
        pipes.write(b"x" * 32768)
        passed += len(pipes.read().replace(b"\n", b""))
    pipes.write(b"\n")
    passed += len(pipes.read().replace(b"\n", b""))
    assert passed == 2 << 20
    assert sum(map(len, pipes.output.tail())) <= TAIL_BYTES
