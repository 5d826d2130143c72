"""What a bug report needs: files and answers of this host, bounded, with secrets masked."""

import gzip
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from trtllm_install.app.services import supervisor_called
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import HostError, InstallError
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.secrets import mask
from trtllm_install.receipts.store import read_receipt

_MOST: Final = 512 << 10  # bytes of one item: the end of a log says most
_LINES: Final = 2000
_SECONDS: Final = 20.0  # a sick driver hangs whoever asks it

_FILES: Final = (
    "/etc/os-release", "/proc/version", "/proc/cmdline", "/proc/meminfo", "/proc/devices",
    "/proc/driver/nvidia/version", "/proc/mounts", "/proc/loadavg", "/proc/pressure/memory",
    layout.SITE_FILE, layout.RECEIPT, layout.JOURNAL, layout.SUPERVISORD_CONF,
    f"{layout.LOGS}/supervisord.log",
)  # fmt: skip
_FOLDERS: Final = (
    layout.PROFILES, layout.ENGINE_CONFIGS, layout.INSTANCES, layout.PROXY, layout.RUN,
)  # fmt: skip
_RECORDS: Final = (".json", ".jsonl", ".txt", ".log")
_COMMANDS: Final = (
    ("nvidia-smi", "-q"), ("nvidia-smi",), ("nvidia-smi", "topo", "-m"), ("df", "-h"),
    ("uname", "-a"), ("ps", "-eo", "pid,ppid,user,stat,rss,etime,args"), ("ss", "-ltnp"),
    ("dmesg", "--level", "emerg,alert,crit,err,warn"),
)  # fmt: skip
_SYSTEMD: Final = (
    ("systemctl", "--version"), ("systemctl", "list-units", "--all", "--no-pager", "trtllm*"),
    ("systemctl", "list-units", "--failed", "--no-pager"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file of the report."""

    name: str
    text: str
    note: str = ""  # why it is short, or not there


def gather(host: Host) -> Iterator[Item]:
    """Yield everything in order; what cannot be had becomes a note, never an error.

    Every command is given 20 s and every file 512 KiB. Root sees more than others.
    """
    try:
        receipt = read_receipt(host)
    except InstallError as error:
        receipt = None
        yield Item(name="receipt-refused.txt", text=error.message)
    names = receipt.order if receipt else ()
    for path in (*_FILES, *_owned_folders(host), *_records(host, names), *_tool_logs(host)):
        yield _file(host, path)
    for argv in (*_COMMANDS, *_commands_of(receipt, names)):
        yield _command(host, argv)
    if receipt:
        supervisor = supervisor_called(receipt.supervisor, host)
        for name in names:
            yield _answer(f"logs/{name}.log", partial(supervisor.log, name, lines=_LINES))
    yield _answer("proxy/status.json", partial(_proxy, host, "/-/status"))
    yield _answer("proxy/generation.json", partial(_proxy, host, "/-/generation"))


def packed(items: Sequence[Item], *, folder: str, at: float) -> bytes:
    """Return the report as a ``.tar.gz``, everything below one folder, with a list of contents."""
    listed = "".join(f"{i.name}{f'  ({i.note})' if i.note else ''}\n" for i in items)
    kept = [Item(name="CONTENTS", text=listed), *(i for i in items if i.text)]
    archive = b"".join(_member(f"{folder}/{i.name}", i.text.encode(), int(at)) for i in kept)
    return gzip.compress(archive + b"\0" * 2 * tarfile.BLOCKSIZE, mtime=at)


def _member(name: str, content: bytes, at: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mode, header.mtime = len(content), 0o600, at
    padding = -len(content) % tarfile.BLOCKSIZE
    return header.tobuf() + content + b"\0" * padding


def _owned_folders(host: Host) -> Iterator[str]:
    for folder in _FOLDERS:
        yield from (f"{folder}/{n}" for n in host.names_in(folder) if not n.endswith(".sock"))


def _records(host: Host, names: Sequence[str]) -> Iterator[str]:
    """What launchers have written down; caches beside it are none of a report's business."""
    for name in names:
        folder = layout.instance_state(name)
        yield from (f"{folder}/{n}" for n in host.names_in(folder) if n.endswith(_RECORDS))


def _tool_logs(host: Host) -> Iterator[str]:
    yield from (f"{layout.TOOL_LOGS}/{n}" for n in host.names_in(layout.TOOL_LOGS)[-3:])


def _commands_of(receipt: Receipt | None, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    if receipt is None or receipt.supervisor != "systemd":
        return
    yield from _SYSTEMD
    for name in names:
        yield ("systemctl", "status", "--no-pager", "--full", "-n", "0", layout.unit(name))
        yield ("systemctl", "cat", "--no-pager", layout.unit(name))


def _file(host: Host, path: str) -> Item:
    name = f"files{path}"
    try:
        entry = host.look(path)
        if entry is None or entry.kind not in {"file", "link"}:
            return Item(name=name, text="", note="not there")
        cut = entry.size > _MOST
        raw = host.read(path, limit=_MOST, offset=entry.size - _MOST if cut else 0) or b""
    except HostError as error:
        return Item(name=name, text="", note=error.message)
    note = f"the last {_MOST >> 10} KiB of {entry.size >> 10}" if cut else ""
    return Item(name=name, text=mask(raw.decode(errors="replace")), note=note)


def _command(host: Host, argv: tuple[str, ...]) -> Item:
    name = f"commands/{'_'.join(argv).replace('/', '-')[:80]}.txt"
    try:
        ended = host.run(argv, timeout=_SECONDS)
    except HostError as error:
        return Item(name=name, text="", note=error.message)
    text = mask(ended.stdout[-_MOST:] + ended.stderr[-_MOST:])
    return Item(name=name, text=text, note=f"exit {ended.code}" if ended.code else "")


def _answer(name: str, ask: Callable[[], str]) -> Item:
    try:
        return Item(name=name, text=mask(ask()))
    except HostError as error:
        return Item(name=name, text="", note=error.message)


def _proxy(host: Host, path: str) -> str:
    answer = host.http("GET", path, timeout=2, unix_socket=layout.PROXY_ADMIN_SOCKET)
    return answer.body[:_MOST].decode(errors="replace")
