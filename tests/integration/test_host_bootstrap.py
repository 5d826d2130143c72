"""scripts/bootstrap.sh on a host that has nothing of ours; stages share one host."""

import signal
from collections.abc import Iterator

import pytest

from lab import images, roots
from lab.manifest import assert_same, differences, manifest_of
from lab.visitor import await_true

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
STAGED = True

LINK = "usr/local/bin/trtllm-install"
CHANGED = "/tmp/changed-checkout"


@pytest.fixture(scope="module")
def host() -> Iterator[roots.BootedRoot]:
    with roots.BootedRoot(images.DEBIAN_12, bare=True) as root:
        yield root


def tools(host: roots.Root) -> list[str]:
    return sorted(path.name for path in (host.tree / "opt/trtllm").glob("tool-*"))


def test_help_needs_no_root_and_writes_nothing(host: roots.BootedRoot) -> None:
    before = manifest_of(host.tree)
    ended = host.run(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *(f"{roots.CHECKOUT_INSIDE}/scripts/bootstrap.sh", "--help"),
    )
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: sudo scripts/bootstrap.sh")
    assert_same(before, manifest_of(host.tree))


def test_without_root_it_says_so_and_writes_nothing(host: roots.BootedRoot) -> None:
    before = manifest_of(host.tree)
    ended = host.run(
        *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
        *(f"{roots.CHECKOUT_INSIDE}/scripts/bootstrap.sh", "--profile", "multi"),
    )
    assert ended.returncode == 8
    assert ended.stderr.startswith("error: cannot install: not root\n\nhint: run: sudo ")
    assert_same(before, manifest_of(host.tree))


def test_a_command_that_is_not_ours_is_never_replaced(host: roots.BootedRoot) -> None:
    link = host.tree / LINK
    link.write_text("somebody else's\n", encoding="utf-8")
    before = manifest_of(host.tree)
    ended = host.bootstrap("status")
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"error: cannot link /{LINK}: something that is not ours")
    assert_same(before, manifest_of(host.tree))
    link.unlink()


def test_without_its_packages_it_says_so_and_writes_nothing(host: roots.BootedRoot) -> None:
    archives = host.tree / "var/cache/apt/archives"
    package = next(archives.glob("python3-venv_*.deb"))
    package.rename(archives / "hidden")
    patience = host.tree / "etc/apt/apt.conf.d/99-no-retries"
    patience.write_text('Acquire::Retries "0";\n', encoding="utf-8")
    ended = host.bootstrap("status")
    (archives / "hidden").rename(package)
    patience.unlink()
    assert ended.returncode == 3
    assert "error: cannot install packages: apt-get failed for" in ended.stderr
    assert not (host.tree / "opt/trtllm").exists()


def test_the_tool_is_made_and_no_proxy_is_installed_for_it(host: roots.BootedRoot) -> None:
    ended = host.bootstrap("--version")
    assert ended.returncode == 0, ended.stderr
    assert "bootstrap: installing packages: python3-venv\n" in ended.stderr
    assert not (host.tree / "usr/sbin/nginx").exists()


def test_a_second_run_builds_nothing(host: roots.BootedRoot) -> None:
    before = manifest_of(host.tree)
    ended = host.bootstrap("--version", timeout=5)
    assert "bootstrap:" not in ended.stderr
    assert_same(before, manifest_of(host.tree))


def test_an_interrupted_build_leaves_the_old_tool_working(host: roots.BootedRoot) -> None:
    old = tools(host)
    host.check("cp", "--recursive", roots.CHECKOUT_INSIDE, CHANGED)
    host.check("sh", "-c", f"echo >>{CHANGED}/README.md")
    host.check(
        *("systemd-run", "--quiet", "--unit=half", "--setenv=PIP_NO_INDEX=1"),
        f"--setenv=PIP_FIND_LINKS={roots.WHEELS_INSIDE}",
        *(f"{CHANGED}/scripts/bootstrap.sh", "status"),
    )
    await_true("a second tool folder", lambda: len(tools(host)) == 2, seconds=30)
    host.check("systemctl", "kill", "--kill-whom=all", f"--signal={signal.SIGKILL.value}", "half")
    assert (host.tree / "opt/trtllm/tool").readlink().name == old[0]
    assert host.run("trtllm-install", "--help").returncode == 0


def test_the_next_run_finishes_and_drops_the_old_tool(host: roots.BootedRoot) -> None:
    half = (set(tools(host)) - {(host.tree / "opt/trtllm/tool").readlink().name}).pop()
    ended = host.run(f"{CHANGED}/scripts/bootstrap.sh", "--version", timeout=240)
    assert ended.returncode == 0, ended.stderr
    assert tools(host) == [half]
    assert (host.tree / "opt/trtllm/tool").readlink().name == half


def test_a_tool_in_use_stays_until_its_processes_are_gone(host: roots.BootedRoot) -> None:
    (old,) = tools(host)
    interpreter = f"/opt/trtllm/{old}/bin/python"
    pause = "import signal; signal.pause()"
    host.check("systemd-run", "--quiet", "--unit=busy", interpreter, "-c", pause)
    host.bootstrap("--version")
    assert old in tools(host)
    assert len(tools(host)) == 2
    host.check("systemctl", "stop", "busy")
    host.bootstrap("--version")
    assert old not in tools(host)


def test_two_runs_at_once_are_one(host: roots.BootedRoot) -> None:
    host.check(
        *("systemd-run", "--quiet", "--unit=holder", "flock", "/run/trtllm-bootstrap.lock"),
        *("sleep", "infinity"),
    )
    await_true(
        "the lock being held",
        lambda: host.run("flock", "-n", "/run/trtllm-bootstrap.lock", "true").returncode,
        seconds=5,
    )
    ended = host.bootstrap("status")
    host.check("systemctl", "stop", "holder")
    assert ended.returncode == 7
    assert "another bootstrap is at work" in ended.stderr


def test_remove_refuses_while_something_is_installed(host: roots.BootedRoot) -> None:
    receipt = host.tree / "var/lib/trtllm/receipt.json"
    receipt.parent.mkdir()
    receipt.write_text("{}", encoding="utf-8")
    ended = host.bootstrap("--remove")
    assert ended.returncode == 3
    assert "hint: run: sudo trtllm-install uninstall" in ended.stderr
    assert len(tools(host)) == 1
    receipt.unlink()
    receipt.parent.rmdir()


def test_remove_takes_the_tool_and_nothing_else(host: roots.BootedRoot) -> None:
    before = manifest_of(host.tree)
    ended = host.bootstrap("--remove")
    assert ended.returncode == 0, ended.stderr
    gone = {line.partition(":")[0] for line in differences(before, manifest_of(host.tree))}
    assert "opt/trtllm" in gone
    assert "usr/local/share/man/man1/trtllm-install.1" in gone
    ours = ("opt/trtllm", "usr/local/share/")
    assert all(path == LINK or path.startswith(ours) for path in gone)
