"""Why a program cannot be executed, in words."""

import errno
import os
from pathlib import Path

import pytest

from trtllm_install.launcher.program import explain

OTHER = {"x86_64": ("aarch64", 0xB7)}.get(os.uname().machine, ("x86_64", 0x3E))


def elf(machine: int) -> bytes:
    """The first 64 bytes of a 64-bit little-endian program (elf(5))."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\x00" + machine.to_bytes(2, "little")
    return header + bytes(44)


def run(path: Path) -> int:
    """Return the errno with which the kernel refuses a program."""
    pid = os.fork()
    if not pid:
        try:
            os.execv(path, [str(path)])
        except OSError as error:
            os._exit(error.errno or 255)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (elf(OTHER[1]), errno.ENOEXEC, f"it is built for {OTHER[0]}, and this host is "),
        (b"", errno.ENOEXEC, "it is empty"),
        (b"echo hello\n", errno.ENOEXEC, "it is neither a program nor a script with #!"),
        (b"#!/nowhere/python3\n", errno.ENOENT, "its interpreter /nowhere/python3 cannot be ex"),
    ],
)
def test_the_kernel_refuses_and_we_say_why(
    tmp_path: Path, content: bytes, code: int, words: str
) -> None:
    program = tmp_path / "trtllm-serve"
    program.write_bytes(content)
    program.chmod(0o755)
    assert run(program) == code
    assert explain(str(program), code).startswith(words)


def test_a_script_for_an_interpreter_of_another_machine(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_bytes(elf(OTHER[1]))
    python.chmod(0o755)
    script = tmp_path / "trtllm-serve"
    script.write_text(f"#!{python}\n")
    script.chmod(0o755)
    assert f"built for {OTHER[0]}" in explain(str(script), run(script))


def test_modes_folders_and_absence(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    plain.chmod(0o644)
    assert explain(str(plain), errno.EACCES).startswith("it is not executable")
    assert explain(str(tmp_path), errno.EACCES) == "it is a folder"
    assert explain(str(tmp_path / "gone"), errno.ENOENT) == "no such file or directory"
    assert explain("nginx", errno.ENOENT) == "no such file or directory"
