"""The door to this machine, and to an image tree below a folder."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from trtllm_install.host.local import LocalHost
from trtllm_install.model.errors import HostError

if TYPE_CHECKING:
    from trtllm_install.host.protocol import Host


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A tree with the links that images have: absolute ones, and one that climbs out."""
    root = tmp_path / "image"
    for folder in ("etc", "run", "usr/bin"):
        (root / folder).mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    (root / "var").mkdir()
    (root / "var/run").symlink_to("/run")
    (root / "etc/up").symlink_to("../../../outside")
    (root / "etc/loop").symlink_to("loop")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"host")
    return root


def test_a_local_host_is_a_host() -> None:
    door: Host = LocalHost()
    assert door.look("/proc/self") is not None
    assert door.read("/no/such/file") is None
    assert door.names_in("/no/such/folder") == ()
    assert door.which("sh") in {"/usr/bin/sh", "/bin/sh"}
    assert door.which("no-such-program") is None
    assert door.is_root() == (os.geteuid() == 0)
    assert door.home_of("root") == "/root"
    assert not door.account_exists("no-such-user")
    assert door.monotonic() <= door.monotonic()


def test_the_environment_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "me")
    assert LocalHost().environment("SUDO_USER") == "me"
    assert LocalHost().environment("NO_SUCH_VARIABLE") is None


def test_a_port_is_free_when_it_can_be_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not LocalHost().can_bind("127.0.0.1", port)
        assert not LocalHost().can_bind("0.0.0.0", port)
    assert LocalHost().can_bind("127.0.0.1", port)
    assert not LocalHost().can_bind("192.0.2.1", port)  # no address of this host


def test_refusals_speak_the_house_grammar(tmp_path: Path) -> None:
    host = LocalHost()
    with pytest.raises(HostError, match=f"^cannot read {tmp_path}: is a directory$"):
        host.read(str(tmp_path))
    with pytest.raises(HostError, match=r"^cannot write /no/such/a: no such file or directory$"):
        host.write("/no/such/a", b"", mode=0o644, owner="root")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_unknown_owner_is_told(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"cannot write .*: no user .*no-such-user"):
        LocalHost().write(str(tmp_path / "a"), b"", mode=0o644, owner="no-such-user")
    assert list(tmp_path.iterdir()) == []


# below a root ----------------------------------------------------------------
def test_every_path_is_below_the_root(image: Path) -> None:
    host = LocalHost(str(image))
    host.make_directory("/etc/trtllm", mode=0o750, owner="trtllm")  # a user of the image
    host.write("/etc/trtllm/a", b"x", mode=0o600, owner="trtllm")
    host.make_link("/etc/trtllm/l", "/etc/trtllm/a")
    assert (image / "etc/trtllm/a").read_bytes() == b"x"
    assert host.names_in("/etc/trtllm") == ("a", "l")
    assert host.read("/etc/trtllm/l") == b"x"
    host.remove("/etc/trtllm/l")
    assert host.look("/etc/trtllm/l") is None


def test_files_below_a_root_belong_to_the_caller(image: Path) -> None:
    LocalHost(str(image)).write("/etc/a", b"", mode=0o644, owner="nobody")
    assert (image / "etc/a").stat().st_uid == os.geteuid()


def test_an_absolute_link_of_an_image_leads_into_the_image(image: Path) -> None:
    """As after chroot: else writing /var/run/x would write to the host's own /run."""
    host = LocalHost(str(image))
    host.write("/var/run/x", b"y", mode=0o644, owner="root")
    assert (image / "run/x").read_bytes() == b"y"
    assert host.read("/var/run/x") == b"y"
    assert host.names_in("/var/run") == ("x",)
    assert host.resolve("/var/run/x") == "/run/x"
    entry = host.look("/var/run")
    assert entry is not None
    assert (entry.kind, entry.target) == ("link", "/run")


def test_a_link_that_climbs_out_of_an_image_stops_at_its_root(image: Path) -> None:
    host = LocalHost(str(image))
    assert host.read("/etc/up/secret") is None
    assert host.read("/../outside/secret") is None
    assert host.resolve("/etc/up") == "/outside"
    with pytest.raises(HostError):
        host.write("/etc/up/secret", b"image", mode=0o644, owner="root")
    assert (image.parent / "outside/secret").read_bytes() == b"host"


def test_a_link_to_a_file_of_the_host_is_not_read_through(image: Path) -> None:
    (image / "etc/passwd").symlink_to("/etc/passwd")
    (image / "etc/secret").symlink_to(str(image.parent / "outside/secret"))
    host = LocalHost(str(image))
    assert host.read("/etc/secret") is None
    with pytest.raises(HostError, match="cannot read /etc/passwd: too many levels"):
        host.read("/etc/passwd")  # in the image it points to itself


def test_a_loop_of_an_image_is_told(image: Path) -> None:
    host = LocalHost(str(image))
    with pytest.raises(HostError, match="cannot read /etc/loop: too many levels"):
        host.read("/etc/loop")
    with pytest.raises(HostError, match="cannot resolve /etc/loop"):
        host.resolve("/etc/loop")
    entry = host.look("/etc/loop")
    assert entry is not None
    assert entry.kind == "link"


def test_programs_are_looked_for_in_the_image(image: Path) -> None:
    (image / "usr/bin/tool").write_bytes(b"")
    (image / "usr/bin/tool").chmod(0o755)
    host = LocalHost(str(image))
    assert host.which("tool") == "/usr/bin/tool"
    assert host.which("sh") is None


@pytest.mark.parametrize("root", ["", "/"])
def test_the_root_of_this_machine_is_no_prefix(root: str) -> None:
    assert LocalHost(root).resolve("/proc") == "/proc"
