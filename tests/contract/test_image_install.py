"""``--root DIR``: every write stays in the image, whatever its links say."""

import os
import stat
from contextlib import suppress
from pathlib import Path

import pytest

from fakes.command_line import PEM
from fakes.heard import Heard
from fakes.image_tree import GROUP, PASSWD, image_tree
from trtllm_install.app.install import install
from trtllm_install.app.keys_set import given_keys, set_keys
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.tls_set import renew
from trtllm_install.app.uninstall import uninstall
from trtllm_install.host.image import ImageHost
from trtllm_install.model import layout
from trtllm_install.model.errors import (
    ApplyFailed,
    ConfigError,
    GateFailed,
    HostError,
    PreflightFailed,
)
from trtllm_install.model.installation import Tls
from trtllm_install.model.pem import parse_pair
from trtllm_install.proxy.keys import CLIENTS

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="files get the owners of the image")

MULTI = Options(profile="multi", simulate=True)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # no power is cut here, and it takes seconds
    (tmp_path / "outside").mkdir()
    return image_tree(tmp_path / "image")


def manifest(top: Path) -> dict[str, tuple[object, ...]]:
    """Return path -> mode, owner and content of everything that is not a folder's own time."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        entry = path.lstat()
        content: object = None
        if stat.S_ISLNK(entry.st_mode):
            content = path.readlink()
        elif stat.S_ISREG(entry.st_mode):
            content = path.read_bytes()
        facts = (entry.st_mode, entry.st_uid, entry.st_gid, content)
        found[str(path.relative_to(top))] = facts
    return found


def test_an_install_is_whole_and_a_second_finds_nothing(tree: Path) -> None:
    done = install(ImageHost(str(tree)), MULTI, Heard())
    assert done.step.plan.count > 60
    assert (tree / "etc/systemd/system/multi-user.target.wants/trtllm.target").is_symlink()
    assert not (tree / "var/lib/trtllm/journal").exists()
    before = manifest(tree)
    again = install(ImageHost(str(tree)), MULTI, Heard())
    assert again.step.plan.count == 0
    assert manifest(tree) == before


def test_the_user_is_the_images_own(tree: Path) -> None:
    install(ImageHost(str(tree)), MULTI, Heard())
    # 999 is a user's and 998 a group's number: the first that is neither.
    line = "trtllm:x:997:997::/var/lib/trtllm:/usr/sbin/nologin\n"
    assert (tree / "etc/passwd").read_text() == PASSWD + line
    assert (tree / "etc/group").read_text() == f"{GROUP}trtllm:x:997:\n"
    assert "trtllm:!:::::::" in (tree / "etc/shadow").read_text()
    assert stat.S_IMODE((tree / "etc/shadow").stat().st_mode) == 0o640
    assert (tree / "var/lib/trtllm/qwen").stat().st_uid == 997


def test_keys_and_certificate_may_come_before_the_install(tree: Path) -> None:
    image = ImageHost(str(tree))
    set_keys(image, given_keys(f"alice {'k' * 32}", CLIENTS), CLIENTS, Heard(), exclusive=None)
    tls = Tls(certificate=layout.TLS_CERTIFICATE, key=layout.TLS_KEY)
    assert renew(image, parse_pair(PEM), tls, (), Heard()).changes
    for path, mode in ((layout.PROXY_KEYS, 0o640), (layout.TLS_KEY, 0o440)):
        entry = (tree / path[1:]).stat()
        assert (stat.S_IMODE(entry.st_mode), entry.st_uid, entry.st_gid) == (mode, 0, 997)
    words = f"listen: 0.0.0.0\nproxy:\n  tls: {{certificate: {tls.certificate}, key: {tls.key}}}\n"
    (tree / layout.SITE_FILE[1:]).write_text(words)
    install(ImageHost(str(tree)), MULTI, Heard())
    assert (
        f"ssl_certificate {tls.certificate};" in (tree / "etc/trtllm/proxy/nginx.conf").read_text()
    )


def test_a_user_that_the_image_has_keeps_its_number(tree: Path) -> None:
    with (tree / "etc/passwd").open("a") as file:
        file.write("trtllm:x:812:813::/var/lib/trtllm:/usr/sbin/nologin\n")
    install(ImageHost(str(tree)), MULTI, Heard())
    entry = (tree / "var/lib/trtllm/qwen").stat()
    assert (entry.st_uid, entry.st_gid) == (812, 813)


@pytest.mark.parametrize("init", ["systemd", "supervisord"])
def test_uninstall_leaves_the_image_as_it_was(tree: Path, init: str) -> None:
    before = manifest(tree)
    options = Options(profile="multi", simulate=True, init=init)  # type: ignore[arg-type]
    install(ImageHost(str(tree)), options, Heard())
    uninstall(ImageHost(str(tree)), Heard(), purge=True)
    assert manifest(tree) == before


def test_a_failure_leaves_the_image_as_it_was(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = manifest(tree)

    def refuse(*_: object) -> None:
        raise HostError("cannot enable: no space left on device", hint="df -h")

    monkeypatch.setattr("trtllm_install.supervisors.image.ImageSupervisor.carry_out", refuse)
    with pytest.raises(GateFailed, match="the host is as it was"):
        install(ImageHost(str(tree)), MULTI, Heard())
    assert manifest(tree) == before


HOSTILE = {
    "etc/trtllm": "a folder of ours",
    "opt/trtllm/engines": "a folder of ours below another",
    "var/lib/trtllm": "where the journal is",
    "etc/systemd/system/multi-user.target.wants": "where the boot begins",
    "etc/systemd/system": "a folder of the system",
    "var/lib": "a folder above ours",
    "etc/passwd": "where accounts are",
    "etc/systemd/system/trtllm.target": "a file of ours",
    "var/lib/trtllm/receipt.json": "the receipt",
}


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("way", ["absolute", "climbing"])
def test_a_link_out_of_the_image_is_never_followed(tree: Path, path: str, way: str) -> None:
    """It leads into the image, as it will once that is booted, or it is refused."""
    outside = tree.parent / "outside"
    (outside / "file").write_bytes(b"the host's own")
    place = tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_dir():
        place.rename(tree / "moved")
    target = outside if Path(path).suffix == "" and path != "etc/passwd" else outside / "file"
    climbing = Path(*[".."] * (len(tree.parts) + 4)) / target.relative_to("/")
    place.unlink(missing_ok=True)
    place.symlink_to(target if way == "absolute" else climbing)
    host = {name: facts for name, facts in manifest(tree.parent).items() if "image" not in name}
    with suppress(ApplyFailed, ConfigError, GateFailed, HostError, PreflightFailed):
        install(ImageHost(str(tree)), MULTI, Heard())
        uninstall(ImageHost(str(tree)), Heard(), purge=True)
    now = {name: facts for name, facts in manifest(tree.parent).items() if "image" not in name}
    assert now == host


def test_an_image_without_the_tool_is_refused_with_the_command(tree: Path) -> None:
    (tree / "opt/trtllm/tool/bin/trtllm-supervise").unlink()
    with pytest.raises(
        PreflightFailed, match=r"\[image-without-tool\]\n.*bootstrap\.sh --version$"
    ):
        install(ImageHost(str(tree)), MULTI, Heard())


def test_what_only_the_machine_knows_is_left_to_it(tree: Path) -> None:
    options = Options(profile="multi", weights_dir="/srv/weights")
    findings = look_at(ImageHost(str(tree)), options, Heard()).findings
    (later,) = (f for f in findings if f.code == "image-judged-later")
    assert "GPUs, driver, memory, ports, weights of qwen, nemotron" in later.message
    errors = {f.code for f in findings if f.severity.value == "error"}
    assert errors == {"engine-missing"}


def test_the_proxy_and_the_supervisor_are_read_without_being_run(tree: Path) -> None:
    facts = look_at(ImageHost(str(tree)), MULTI, Heard()).facts
    assert facts.proxy is not None
    assert getattr(facts.proxy, "version", "") == "1.22.1"
    assert getattr(facts.proxy, "missing", None) == ()
    assert getattr(facts.supervisor, "systemd_version", None) == 252


def test_nobodys_home_is_meant_in_an_image(tree: Path) -> None:
    with pytest.raises(ConfigError, match="nobody calls from an image"):
        look_at(ImageHost(str(tree)), Options(profile="multi"), Heard())


def test_a_second_profile_replaces_the_first(tree: Path, tmp_path: Path) -> None:
    """What both have stays as it is, what only the first had goes, and nothing else does."""
    before = manifest(tree)
    qwen = Options(profile="qwen", simulate=True)
    install(ImageHost(str(tree)), MULTI, Heard())
    install(ImageHost(str(tree)), qwen, Heard())
    other = image_tree(tmp_path / "other")
    install(ImageHost(str(other)), qwen, Heard())
    kept = {k: v for k, v in manifest(tree).items() if not k.startswith("var/")}
    assert kept == {k: v for k, v in manifest(other).items() if not k.startswith("var/")}
    uninstall(ImageHost(str(tree)), Heard(), purge=True)
    assert manifest(tree) == before
