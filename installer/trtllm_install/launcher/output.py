"""The child's output: passed on line by line, a bounded tail of it kept."""

import os
import select
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_READ = 65536
_TURN_LIMIT = 4  # reads for each turn of the loop, so that a flood cannot starve the probes
_LONGEST_LINE = 65536
_PIPE_ROOM = 4096  # what a pipe that polls as writable is sure to take
_STALL_S = 0.1
_HEARD_AT_ONCE = 50  # lines of one read that the listener gets: a flood must not cost a core
TAIL_LINES = 200
TAIL_BYTES = 65536


class Output:
    """Reads ``source`` and writes whole lines to ``sink``.

    When ``sink`` takes nothing for 0.1 s, lines are dropped and counted rather
    than the engine stopped: a server must not hang because its log does.
    """

    def __init__(self, source: int, sink: int, *, probe_paths: tuple[str, ...] = ()) -> None:
        self.source = source
        self.lines = 0
        # Lines that our own probes did not cause: an access log would count as life otherwise.
        self.signs = 0
        self.ended = False
        self.listener: Callable[[bytes], None] | None = None  # of each line, while there is one
        self._sink = sink
        self._probe_paths = tuple(p.encode() for p in probe_paths)
        self._rest = b""
        self._live = b""  # the progress bar that is being drawn
        self._tail: deque[bytes] = deque(maxlen=TAIL_LINES)
        self._tail_bytes = 0
        self._stalled = False
        self._dropped = 0
        os.set_blocking(source, False)
        self._room = select.poll()
        self._room.register(sink, select.POLLOUT)

    def pump(self, _events: int = 0) -> None:
        """Pass on what has come, at most a few reads of it."""
        for _ in range(_TURN_LIMIT):
            try:
                data = os.read(self.source, _READ)
            except BlockingIOError:
                return
            if not data:
                self.ended = True
                self._take_rest()
                return
            whole, newline, rest = (self._rest + data).rpartition(b"\n")
            if not newline and len(rest) > _LONGEST_LINE:
                whole, newline, rest = rest, b"\n", b""
            self._rest = self._overwrite(rest) if b"\r" in rest else rest
            self._take(whole + newline)

    def drain(self) -> None:
        """Pass on everything that is there now, without waiting for more."""
        for _ in range(64):
            before = self.lines, len(self._rest)
            self.pump()
            if self.ended or before == (self.lines, len(self._rest)):
                break
        self._take_rest()

    def tail(self) -> list[str]:
        """Return the last lines, oldest first, at most 200 and 64 KiB, printable."""
        return [_printable(line) for line in self._tail]

    def last_line(self) -> str:
        """Return the last line that says something, shortened; empty if there is none."""
        for line in (self._live, *reversed(self._tail)):
            text = _printable(line[:_PIPE_ROOM]).strip()
            if text:
                return text[:160]
        return ""

    def _overwrite(self, rest: bytes) -> bytes:
        """Take a progress bar, which tqdm draws again and again in one line; return its last."""
        drawn = [piece for piece in rest.split(b"\r") if piece.strip()]
        if not drawn:
            return b""
        if drawn[-1] != self._live:
            self.signs += 1
            self._live = drawn[-1]
            if self.listener:
                self.listener(self._live)
        return b"\r" + self._live

    def _take_rest(self) -> None:
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest + b"\n")

    def _take(self, block: bytes) -> None:
        if not block:
            return
        lines = block.split(b"\n")[:-1]
        if b"\r" in block:  # as a terminal would leave it
            lines = [line.rstrip(b"\r").rpartition(b"\r")[2] for line in lines]
            block = b"\n".join((*lines, b""))
        self._live = b""
        self.lines += len(lines)
        if self.listener:
            for line in lines[-_HEARD_AT_ONCE:]:
                self.listener(line)
        if any(path in block for path in self._probe_paths):
            self.signs += sum(1 for line in lines if line and not self._is_probe(line))
        else:  # a flood must not cost a microsecond for each line
            self.signs += len(lines) - lines.count(b"")
        for line in lines[-TAIL_LINES:]:
            if len(self._tail) == TAIL_LINES:
                self._tail_bytes -= len(self._tail[0])
            kept = line[:_PIPE_ROOM]
            self._tail.append(kept)
            self._tail_bytes += len(kept)
            while self._tail_bytes > TAIL_BYTES:
                self._tail_bytes -= len(self._tail.popleft())
        self._pass_on(block, len(lines))

    def _is_probe(self, line: bytes) -> bool:
        return any(path in line for path in self._probe_paths)

    def _pass_on(self, block: bytes, lines: int) -> None:
        if self._dropped and self._has_room():
            note = f"trtllm-supervise: {self._dropped} lines dropped, the log took none\n"
            self._dropped = 0
            self._write(note.encode())
        view = memoryview(block)
        while view:
            if not self._has_room():
                self._dropped += lines
                return
            written = self._write(view[:_PIPE_ROOM])
            view = view[written:]

    def _has_room(self) -> bool:
        self._stalled = not self._room.poll(0 if self._stalled else _STALL_S * 1000)
        return not self._stalled

    def _write(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._sink, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # nobody reads our output; the engine serves on


def _printable(line: bytes) -> str:
    """Return a line that cannot move a terminal's cursor: it ends in states and in `status`."""
    text = line.decode(errors="replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
