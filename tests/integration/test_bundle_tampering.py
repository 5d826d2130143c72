"""A bundle in which anything is not as it was made: refused, by name, with nothing written."""

import io
import stat
import tarfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from fakes.fake_bundle import CONTENT, MANIFEST, WHOLE
from fakes.fake_host import FakeHost
from trtllm_install.app.bundle_use import unpack
from trtllm_install.bundles.archive import archive_parts, unpack_bundle, verify_bundle
from trtllm_install.host.local import LocalHost
from trtllm_install.model.bundle import BundleFile
from trtllm_install.model.errors import ConfigError


def refusal(raw: bytes, *, pinned: str = "") -> str:
    """Return why a bundle is refused; demand that nothing was written."""
    host = FakeHost()
    host.add_file("/b.tar", raw)
    with pytest.raises(ConfigError) as caught:
        unpack(host, "/b.tar", "/opt/here", pinned=pinned)
    assert host.changes == []
    assert caught.value.message.startswith("cannot use bundle /b.tar: ")
    return caught.value.message.removeprefix("cannot use bundle /b.tar: ")


def test_every_tar_reads_what_we_write() -> None:
    with tarfile.open(fileobj=io.BytesIO(WHOLE)) as tar:
        members = tar.getmembers()
        assert [m.name for m in members] == ["manifest.json", *sorted(CONTENT)]
        read = {m.name: tar.extractfile(m).read() for m in members[1:]}  # type: ignore[union-attr]
    assert read == CONTENT
    assert {(m.uid, m.gid, m.mtime) for m in members} == {(0, 0, MANIFEST.created)}
    assert len(WHOLE) % tarfile.BLOCKSIZE == 0


def test_a_whole_bundle_is_unpacked_as_it_was_packed(tmp_path: Path) -> None:
    path, folder = tmp_path / "b.tar", tmp_path / "here"
    path.write_bytes(WHOLE)
    unpack(LocalHost(), str(path), str(folder), pinned=sha256(MANIFEST.encode()).hexdigest())
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert found == CONTENT
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "bootstrap.sh").stat().st_mode) == 0o755


def test_no_byte_of_a_bundle_can_be_another() -> None:
    """Header, content, padding, end: every seventh, which meets every place of a block."""
    host = FakeHost()
    host.add_file("/b.tar")
    believed = []
    for at in range(0, len(WHOLE), 7):
        host.nodes["/b.tar"].content = WHOLE[:at] + bytes([WHOLE[at] ^ 1]) + WHOLE[at + 1 :]
        try:
            verify_bundle(host, "/b.tar")
        except ConfigError:
            continue
        believed.append(at)
    assert believed == []


@pytest.mark.parametrize("short", [1, 100, 511, 512, 513, 1024, 3000, len(WHOLE) - 1])
def test_a_bundle_that_was_cut_short_names_where(short: int) -> None:
    assert "the bundle ends in the middle of it" in refusal(WHOLE[:-short])


def test_something_behind_the_end_is_refused() -> None:
    assert refusal(WHOLE + b"\0") == "something follows its end"


def test_an_empty_file_and_a_stranger_are_no_bundles() -> None:
    assert refusal(b"") == "manifest.json: the bundle ends in the middle of it"
    assert "it is not a bundle" in refusal(b"PK" * 600)
    with pytest.raises(ConfigError, match=r"cannot read bundle /none\.tar: no such file"):
        verify_bundle(FakeHost(), "/none.tar")


def test_a_pinned_hash_names_both() -> None:
    said = refusal(WHOLE, pinned="0" * 64)
    assert sha256(MANIFEST.encode()).hexdigest() in said
    assert "0" * 64 in said


# members that a tar can hold and a bundle cannot --------------------------------


def with_member(change: Callable[[tarfile.TarInfo], None], raw: bytes = b"") -> bytes:
    """Return a bundle made by another hand: its second member is ``change``d."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as tar:
        info = tarfile.TarInfo("manifest.json")
        listed = MANIFEST.encode()
        info.size, info.mtime = len(listed), MANIFEST.created
        tar.addfile(info, io.BytesIO(listed))
        info = tarfile.TarInfo("bootstrap.sh")
        info.size, info.mtime, info.mode = len(raw), MANIFEST.created, 0o755
        change(info)
        tar.addfile(info, io.BytesIO(raw))
    return made.getvalue()


def strange(kind: bytes, name: str = "bootstrap.sh", to: str = "") -> bytes:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.name, info.linkname = kind, name, to

    return with_member(change)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (strange(tarfile.SYMTYPE, to="/etc/passwd"), "(a symbolic link, to /etc/passwd)"),
        (strange(tarfile.LNKTYPE, to="../etc/shadow"), "(a hard link, to ../etc/shadow)"),
        (strange(tarfile.CHRTYPE), "(a device)"),
        (strange(tarfile.BLKTYPE), "(a device)"),
        (strange(tarfile.FIFOTYPE), "(a named pipe)"),
        (strange(tarfile.DIRTYPE), "(a folder"),
        (strange(tarfile.REGTYPE, "../../etc/x"), "(a path that leads out of the bundle)"),
        (strange(tarfile.REGTYPE, "/etc/x"), "(an absolute path)"),
        (strange(tarfile.REGTYPE, "evil"), "found evil"),
    ],
)
def test_a_strange_member_is_named_with_what_is_strange(raw: bytes, says: str) -> None:
    said = refusal(raw)
    assert said.startswith("bootstrap.sh is expected, found ")
    assert says in said


def test_a_huge_member_is_refused_by_its_header() -> None:
    def huge(info: tarfile.TarInfo) -> None:
        info.size = 0

    raw = bytearray(with_member(huge))
    at = raw.index(b"bootstrap.sh\0")
    info = tarfile.TarInfo("bootstrap.sh")
    info.size, info.mtime, info.mode = 2**50, MANIFEST.created, 0o755
    raw[at : at + 512] = info.tobuf(tarfile.GNU_FORMAT)
    assert refusal(bytes(raw)) == "bootstrap.sh: its header was changed"


def test_a_file_that_was_added_is_named() -> None:
    block = tarfile.TarInfo("added").tobuf(tarfile.GNU_FORMAT)
    assert refusal(WHOLE[:-1024] + block + WHOLE[-1024:]) == "added is not in the manifest"


def test_a_bundle_that_changes_while_it_is_unpacked_leaves_nothing(tmp_path: Path) -> None:
    """The second reading hashes as well: what was verified need not be what is there now."""
    path, folder = tmp_path / "b.tar", tmp_path / "here"
    at = WHOLE.index(b"w" * 700)
    path.write_bytes(WHOLE[:at] + b"W" + WHOLE[at + 1 :])
    folder.mkdir()
    with pytest.raises(ConfigError, match="its content was changed"):
        unpack_bundle(LocalHost(), str(path), str(folder))
    wheels = folder / "wheels"
    assert [p.name for p in wheels.iterdir()] == []


def test_a_bundle_is_made_twice_the_same() -> None:
    def parts(file: BundleFile) -> Iterator[bytes]:
        yield from (bytes([byte]) for byte in CONTENT[file.path])

    assert b"".join(archive_parts(MANIFEST, parts)) == WHOLE
