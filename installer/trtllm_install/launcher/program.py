"""Why a program cannot be executed, beyond the kernel's one word (execve(2), elf(5)).

Imported only when that has happened: a service that runs does not pay for it.
"""

import errno
import os

_MACHINES = {0x03: "i386", 0x15: "ppc64le", 0x28: "arm", 0x3E: "x86_64", 0xB7: "aarch64"}
_LITTLE = 1  # EI_DATA
_SHEBANG_LIMIT = 256


def explain(path: str, code: int) -> str:
    """Return the cause in words: a missing interpreter, another machine's program, a mode."""
    if not path.startswith("/") or not os.path.lexists(path):
        return os.strerror(code).lower()
    if os.path.isdir(path):  # noqa: PTH112 (pathlib costs 2 MB of memory)
        return "it is a folder"
    head = _read_head(path)
    interpreter = _interpreter_of(head)
    if interpreter and code in {errno.ENOENT, errno.ENOEXEC}:
        inner = explain(interpreter, code)
        return f"its interpreter {interpreter} cannot be executed: {inner}"
    if code == errno.ENOEXEC:
        return _explain_format(head)
    if code == errno.ENOENT:  # it is there: what it needs first is not
        return "it is there, and the loader of its libraries (ld.so) is not"
    refused = code == errno.EACCES and not os.access(path, os.X_OK)
    return "it is not executable" if refused else os.strerror(code).lower()


def _explain_format(head: bytes) -> str:
    if not head.startswith(b"\x7fELF"):
        return "it is empty" if not head else "it is neither a program nor a script with #!"
    order = "little" if head[5] == _LITTLE else "big"
    machine = int.from_bytes(head[18:20], order)  # type: ignore[arg-type]  # one of the two words
    built = _MACHINES.get(machine, f"machine {machine}")
    return f"it is built for {built}, and this host is {os.uname().machine}"


def _interpreter_of(head: bytes) -> str:
    if not head.startswith(b"#!"):
        return ""
    words = head[2:].split(b"\n", 1)[0].split()
    return os.fsdecode(words[0]) if words else ""


def _read_head(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(descriptor, _SHEBANG_LIMIT)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
