"""A machine in memory: the Host protocol over dictionaries and a clock that a test moves.

It is strict on purpose. A folder must exist before a file is written into it, a
command must have been announced with ``answer_command``, and after every change the
tree must still be consistent.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from fakes.fake_tree import FakeTree, KilledError, Node, normal
from trtllm_install.host.protocol import Answer, Completed, Talk, Trust
from trtllm_install.model.errors import HostError, Locked

__all__ = ["FakeHost", "KilledError", "Node"]

Reply = Completed | HostError
Commander = Callable[[tuple[str, ...], str], Reply]
Server = Callable[[bytes | None], Answer]


@dataclass(slots=True)
class _Command:
    reply: Completed | HostError | Commander
    takes: float


@dataclass(slots=True)
class FakeHost(FakeTree):
    """A Host for tests. Everything is public: build it, hand it over, look at it."""

    root: bool = True
    is_settled: bool = False  # nothing is left to interrupt
    variables: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=lambda: {"root": "/root"})  # name -> home
    now: float = 1000.0
    free: int = 2**40  # bytes on every file system
    ran: list[tuple[str, ...]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    headers_of: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)  # the last
    trust_of: dict[tuple[str, str], Trust | None] = field(default_factory=dict)  # the last
    _commands: dict[tuple[str, ...], _Command] = field(default_factory=dict)
    talkers: dict[tuple[str, int], Callable[[bytes], Talk]] = field(default_factory=dict)
    _servers: dict[tuple[str, str, str | None], Server | Answer | HostError] = field(
        default_factory=dict
    )
    _taken: set[tuple[str, int]] = field(default_factory=set)
    _held: dict[str, str] = field(default_factory=dict)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    # building ----------------------------------------------------------------
    def add_account(self, user: str, home: str) -> None:
        """Add a user; the home folder is not made."""
        self.accounts[user] = home

    def answer_command(
        self,
        argv: Sequence[str],
        stdout: str = "",
        *,
        code: int = 0,
        stderr: str = "",
        takes: float = 0.0,
        by: Commander | HostError | None = None,
    ) -> None:
        """Say how a command (or every command that begins so) ends, after ``takes`` seconds.

        ``by`` replaces the fixed answer: a function of argv and standard input, or an error.
        """
        key = tuple(argv)
        fixed = Completed(argv=key, code=code, stdout=stdout, stderr=stderr)
        self._commands[key] = _Command(reply=by or fixed, takes=takes)

    def answer_http(
        self,
        method: str,
        url: str,
        by: Server | Answer | HostError,
        *,
        unix_socket: str | None = None,
    ) -> None:
        """Say what an address answers; every other address refuses the connection."""
        self._servers[method, url, unix_socket] = by

    def take_port(self, address: str, port: int) -> None:
        """Make a port unbindable; address "" means every address."""
        self._taken.add((address, port))

    def free_port(self, address: str, port: int) -> None:
        """Undo ``take_port``."""
        self._taken.discard((address, port))

    def hold_lock(self, path: str, holder: str) -> None:
        """Let another run hold a lock."""
        self._held[normal(path)] = holder

    def later(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let something happen once the clock has moved on by ``seconds``."""
        self._later.append((self.now + seconds, happens))

    # Host: reading -----------------------------------------------------------
    def environment(self, name: str) -> str | None:
        """Return a variable of ``variables``."""
        return self.variables.get(name)

    def image(self) -> str:
        """Return nothing: it plays a machine that runs."""
        return ""

    def is_root(self) -> bool:
        """Tell what the test set."""
        return self.root

    def home_of(self, user: str) -> str | None:
        """Return the home of an account."""
        return self.accounts.get(user)

    def account_exists(self, user: str) -> bool:
        """Tell whether an account was added."""
        return user in self.accounts

    def monotonic(self) -> float:
        """Return the clock of this host."""
        return self.now

    # Host: acting on the outside ---------------------------------------------
    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        environment: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> Completed:
        """Answer as announced: the exact argv first, then its longest announced beginning."""
        key = tuple(argv)
        self.ran.append(key)
        found = next((k for n in range(len(key), 0, -1) if (k := key[:n]) in self._commands), None)
        if found is None:
            known = any(k[0] == key[0] for k in self._commands)
            assert not known, f"no answer was announced for {key}"
            raise HostError(f"cannot run {key[0]}: no such program", hint=f"command -v {key[0]}")
        command = self._commands[found]
        if command.takes > timeout:
            self.pause(timeout)
            raise HostError(f"cannot run {key[0]}: no end in {timeout:g} s", hint=" ".join(key))
        self.pause(command.takes)
        reply = command.reply(key, stdin) if callable(command.reply) else command.reply
        if isinstance(reply, HostError):
            raise reply
        return replace(reply, argv=key)

    def follow(
        self,
        argv: Sequence[str],
        *,
        heard: Callable[[str], None],
        tick: Callable[[], bool],
        silence: float,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Answer as ``run`` does, line by line."""
        ended = self.run(argv, timeout=silence)
        for text in (ended.stdout + ended.stderr).splitlines():
            heard(text)
            tick()
        return ended.code

    def free_bytes(self, path: str) -> int:
        """Return what the test set."""
        assert self.look(path), f"no such path: {path}"
        return self.free

    def http(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        unix_socket: str | None = None,
        trust: Trust | None = None,
    ) -> Answer:
        """Answer as announced, else refuse the connection."""
        self.requests.append((method, url))
        self.headers_of[method, url] = dict(headers or {})
        self.trust_of[method, url] = trust
        server = self._servers.get((method, url, unix_socket))
        if server is None:
            raise HostError(f"cannot reach {url}: connection refused", hint=f"curl {url}")
        if isinstance(server, HostError):
            raise server
        return server if isinstance(server, Answer) else server(body)

    def time_http(
        self,
        method: str,
        urls: Sequence[str],
        *,
        body: bytes,
        headers: Mapping[str, str],
        times: int,
    ) -> tuple[tuple[float, ...], ...]:
        """Let each address take 100 µs longer than the one before."""
        for url in urls:
            self.http(method, url, body=body, headers=headers)
        return tuple((1e-4 * n,) * times for n, _ in enumerate(urls, 1))

    def talk(
        self, address: tuple[str, int], sent: bytes, *, drip: bytes = b"", timeout: float
    ) -> Talk:
        """Answer as announced, else refuse the connection."""
        if address not in self.talkers:
            raise HostError(f"cannot reach {address[0]}:{address[1]}: connection refused")
        return self.talkers[address](sent)

    def can_bind(self, address: str, port: int) -> bool:
        """Tell whether nobody took the port; a wildcard clashes with every address."""
        wild = ("", "0.0.0.0", "::")
        return not any(
            p == port and (a == address or a in wild or address in wild) for a, p in self._taken
        )

    def pause(self, seconds: float) -> None:
        """Move the clock and let happen what is due, in order of time."""
        self.now += seconds
        due = sorted((x for x in self._later if x[0] <= self.now), key=lambda x: x[0])
        self._later = [x for x in self._later if x[0] > self.now]
        for _, happens in due:
            happens()

    def remove_tree(self, path: str) -> None:
        """Remove a folder and what is below it, deepest first."""
        for name in self.names_in(path):
            inner = f"{path}/{name}"
            entry = self.look(inner)
            if entry and entry.kind == "directory":
                self.remove_tree(inner)
            else:
                self.remove(inner)
        self.remove(path)

    def shielded(self, *, heard_after: bool = False) -> AbstractContextManager[None]:
        """Shield from nothing: no signal reaches a fake."""
        return nullcontext()

    def settled(self) -> None:
        """Remember it; no signal reaches a fake."""
        self.is_settled = True

    def lock(
        self, path: str, *, patience: float = 0.0, told: Callable[[str], None] | None = None
    ) -> AbstractContextManager[None]:
        """Hold a lock, or raise Locked naming who does, however patient the caller is."""
        return self._lock(normal(path))

    @contextmanager
    def _lock(self, path: str) -> Iterator[None]:
        if path in self._held:
            raise Locked(f"cannot lock {path}: held by {self._held[path]}", hint="wait for it")
        self._held[path] = "this process"
        try:
            yield
        finally:
            del self._held[path]
