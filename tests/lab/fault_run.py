"""Runs the fault matrix inside a lab host: ``python -m lab.fault_run systemd|supervisord``.

Prints one JSON list of outcomes. The cells of a phase run beside one another.
"""

import contextlib
import dataclasses
import http.client
import json
import signal
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.fault_bench import PROXY_PORT, Bench, Supervisor, Supervisord, Systemd, await_true
from lab.fault_cells import FAULTS, IGNORED, ON_REQUEST, WATCHED_S, WAVES, Cell, Outcome, cells_of

_CLIENTS = 2
_PATIENCE_S = 90.0
_SERVING = ("healthy", "busy")


class Clients:
    """Streams through the proxy, one after the other, and what came of them."""

    def __init__(self, cell: Cell) -> None:
        self.answered = self.lost = 0
        self._cell = cell
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._connections: set[http.client.HTTPConnection] = set()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_CLIENTS)]

    def start(self) -> None:
        """Begin, and return once each has a token."""
        for thread in self._threads:
            thread.start()
        await_true(lambda: self._streaming() == _CLIENTS, "clients have tokens", _PATIENCE_S)

    def end(self) -> None:
        """Let go of what still runs; that is not lost, but given up."""
        self._ending.set()
        for connection in list(self._connections):
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(2)  # type: ignore[union-attr]  # AttributeError
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join(10)

    def _streaming(self) -> int:
        return len(self._connections)

    def _run(self) -> None:
        while not self._ending.is_set():
            outcome = self._ask()
            if outcome != "answered":
                self._ending.wait(0.2)
            if outcome == "refused":
                continue
            with self._lock:
                if outcome == "answered":
                    self.answered += 1
                elif not self._ending.is_set():
                    self.lost += 1

    def _ask(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", PROXY_PORT, timeout=120)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(_question(self._cell)))
            answer = connection.getresponse()
            if answer.status != http.HTTPStatus.OK:
                retry = answer.headers.get("x-should-retry") == "true"
                return "refused" if retry else "lost"
            self._connections.add(connection)
            received = b""
            while part := answer.read1():
                received += part
        except (OSError, http.client.HTTPException):
            return "lost"
        else:
            return "answered" if received.endswith(b"data: [DONE]\n\n") else "lost"
        finally:
            self._connections.discard(connection)
            connection.close()


def _question(cell: Cell) -> dict[str, Any]:
    messages = [{"role": "user", "content": "say something"}]
    return {"model": cell.name, "messages": messages, "max_tokens": 30, "stream": True}


class Run:
    """One cell under way."""

    def __init__(self, bench: Bench, supervisor: Supervisor, cell: Cell) -> None:
        self._bench = bench
        self._supervisor = supervisor
        self._cell = cell
        self._fault = FAULTS[cell.fault]
        self._clients = Clients(cell)

    def run(self) -> Outcome:
        """Do it and say what came of it; what went wrong is an outcome too."""
        try:
            return self._run()
        except Exception as error:  # noqa: BLE001 (one cell must not take the others along)
            traceback.print_exc()
            state = self._bench.read_state(self._cell)
            said = f"{type(error).__name__}: {error}; {state.get('status')}"
            return Outcome(
                fault=self._cell.fault, phase=self._cell.phase, verdict="unknown", said=said
            )
        finally:
            self._clients.end()

    def _run(self) -> Outcome:
        self._await_phase()
        before = self._bench.read_state(self._cell)
        old = self._bench.processes_of(self._cell)
        if not self._fault.persists:
            self._bench.write_spec(self._cell, faulty=False)
        # What the engine has from its start begins with its start.
        from_start = self._cell.phase == "loading" and not self._fault.act
        began = before["since"] if from_start else time.time()
        self._inject()
        if self._cell.expected == IGNORED:
            found = self._watch(before)
        else:
            found = self._await_verdict(began)
        left = self._bench.processes_of(self._cell)
        same = [pid for pid, start in old.items() if left.get(pid) == start]
        restarted = found["verdict"] != IGNORED
        return Outcome(
            fault=self._cell.fault,
            phase=self._cell.phase,
            answered=self._clients.answered,
            lost=self._clients.lost,
            left_over=len(same) if restarted else 0,
            **found,
        )

    def _await_phase(self) -> None:
        if self._cell.phase == "loading":
            await_true(lambda: self._is_in("loading", "warming", "backoff", "failed"), "loads", 60)
            return
        await_true(lambda: self._is_in(*_SERVING), "serves", _PATIENCE_S)
        if self._cell.phase == "busy":
            self._clients.start()

    def _is_in(self, *states: str) -> bool:
        return self._bench.read_state(self._cell).get("state") in states

    def _inject(self) -> None:
        bench, cell, act = self._bench, self._cell, self._fault.act
        if cell.phase != "loading" and self._fault.switched:
            bench.switch(cell, self._fault.switched)
        if act == "restart":
            self._supervisor.restart(cell.name)
        elif act == "kill worker":
            bench.kill(cell, "worker", signal.SIGKILL)
        elif act == "kill server":
            bench.kill(cell, "server", signal.SIGKILL)
        elif act == "abort server" and cell.phase == "busy":
            bench.switch(cell, {"crash_after_events": 5})
        elif act == "abort server":
            bench.kill(cell, "server", signal.SIGABRT)

    def _watch(self, before: dict[str, Any]) -> dict[str, Any]:
        """Watch a fault that is to be ignored; the engine must serve on, and be the same one."""
        if self._cell.phase == "loading":
            await_true(lambda: self._is_in(*_SERVING, "backoff", "failed"), "loads", _PATIENCE_S)
            before = self._bench.read_state(self._cell) | {"child_pid": before["child_pid"]}
        until = time.monotonic() + WATCHED_S
        while time.monotonic() < until and self._is_in(*_SERVING, "suspect"):
            time.sleep(0.1)
        if self._is_in("suspect"):  # a slow token is on its way
            await_true(lambda: not self._is_in("suspect"), "is cleared", _PATIENCE_S)
        after = self._bench.read_state(self._cell)
        if after.get("child_pid") != before["child_pid"] or after.get("state") not in _SERVING:
            return {"verdict": f"not ignored: {after.get('state')}", "said": str(after)}
        if self._cell.phase != "busy":
            await_true(self._is_served, "serves on", _PATIENCE_S)
        return {"verdict": IGNORED}

    def _await_verdict(self, began: float) -> dict[str, Any]:
        ended = await_true(lambda: self._ended_after(began), "is noticed", _PATIENCE_S)
        found: dict[str, Any] = {"detect_s": round(ended["exit"]["at"] - began, 1)}
        final = self._cell.expected.startswith("stopped")
        if final:
            ended = await_true(self._failed, "ends for good", _PATIENCE_S)
            return found | {
                "verdict": f"stopped, {ended['exit']['code']}",
                "said": ended["status"],
                "shown": self._supervisor.describe(self._cell.name),
            }
        code, reason = ended["exit"]["code"], ended["exit"]["reason"]
        await_true(self._is_served, "serves again", _PATIENCE_S)
        found["serve_s"] = round(time.time() - began, 1)
        verdict = ON_REQUEST if code == 0 else f"restarted, {code}"
        if verdict == ON_REQUEST:
            found["detect_s"] = None
        return found | {"verdict": verdict, "said": reason}

    def _ended_after(self, began: float) -> dict[str, Any]:
        state = self._bench.read_state(self._cell)
        end = state.get("exit") or {}
        return state if end.get("at", 0) >= began else {}

    def _failed(self) -> dict[str, Any]:
        state = self._bench.read_state(self._cell)
        return state if state.get("state") == "failed" else {}

    def _is_served(self) -> bool:
        if not self._is_in(*_SERVING):
            return False
        return Clients(self._cell)._ask() == "answered"


def main() -> int:
    """Run every wave and print what came of each cell."""
    supervisor: Supervisor = Systemd() if sys.argv[1] == "systemd" else Supervisord()
    bench = Bench()
    outcomes: list[Outcome] = []
    for phases in WAVES:
        cells = cells_of(phases)
        for cell in cells:
            bench.write_spec(cell, faulty=True)
        bench.write_proxy(cells)
        names = ["proxy", *(cell.name for cell in cells)]
        supervisor.begin(names)
        try:
            with ThreadPoolExecutor(len(cells)) as pool:
                found = list(pool.map(lambda c: Run(bench, supervisor, c).run(), cells))
        finally:
            supervisor.end(names)
        left = {cell: len(bench.processes_of(cell)) for cell in cells}
        outcomes += [
            dataclasses.replace(outcome, left_over=outcome.left_over + left[cell])
            for cell, outcome in zip(cells, found, strict=True)
        ]
    json.dump([dataclasses.asdict(outcome) for outcome in outcomes], sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
