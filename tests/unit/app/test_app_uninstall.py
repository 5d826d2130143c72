"""Removing what the receipt owns, and nothing else."""

import pytest

import fakes.installed
from fakes.fake_host import FakeHost, KilledError
from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.app.uninstall import plan_uninstall, uninstall
from trtllm_install.model import layout
from trtllm_install.model.errors import ApplyFailed, NeedsRoot

QWEN_ENGINE = f"{layout.ENGINE_CONFIGS}/qwen_multi.yaml"


def installed() -> tuple[FakeHost, FakeSystemd, object]:
    """Return a host with everything on it, and what it was before."""
    systemd = fakes.installed.installed()
    return systemd.host, systemd, state(debian())


def state(host: FakeHost) -> object:
    return host.tree(), dict(host.accounts)


def test_install_and_uninstall_return_the_tree_to_what_it_was() -> None:
    host, systemd, before = installed()
    gone = uninstall(host, Heard(), purge=False)
    assert state(host) == before
    assert gone.left == ()
    assert systemd.pids == {}


def test_everything_is_stopped_before_its_unit_is_removed() -> None:
    host, _, _ = installed()
    uninstall(host, Heard(), purge=False)
    assert [" ".join(argv) for argv in host.ran if "is-" not in argv[1]] == [
        (
            "systemctl stop trtllm.target trtllm-qwen.service trtllm-nemotron.service "
            "trtllm-proxy.service trtllm-gpu-ready.service"
        ),
        "systemctl disable --quiet trtllm.target",
        "systemctl daemon-reload",
        "userdel trtllm",
    ]


def test_uninstall_twice_is_fine() -> None:
    host, _, before = installed()
    uninstall(host, Heard(), purge=False)
    host.changes.clear()
    again = uninstall(host, Heard(), purge=True)
    assert (again.removed, again.left, host.changes) == ((), (), [])
    assert state(host) == before


def test_purging_afterwards_takes_the_logs_that_an_uninstall_left() -> None:
    host, _, before = installed()
    uninstall(host, Heard(), purge=False)
    for folder in (layout.LOGS, layout.TOOL_LOGS):
        host.add_directory(folder)
        host.add_file(f"{folder}/qwen.log")
    assert plan_uninstall(host, purge=False).contents == ()
    assert plan_uninstall(host, purge=True).contents == (layout.LOGS, layout.TOOL_LOGS)
    gone = uninstall(host, Heard(), purge=True)
    assert [change.path for change in gone.removed] == [layout.LOGS, layout.TOOL_LOGS]
    assert state(host) == before


def test_what_the_operator_made_or_edited_stays_and_is_named() -> None:
    host, _, _ = installed()
    host.add_file(layout.SITE_FILE, "port: 8000\n")
    host.add_file(f"{layout.PROFILES}/mine.yaml", "mine")
    host.add_file(QWEN_ENGINE, "max_batch_size: 1\n")
    gone = uninstall(host, Heard(), purge=True)
    assert host.read(QWEN_ENGINE) == b"max_batch_size: 1\n"
    assert host.read(layout.SITE_FILE) == b"port: 8000\n"
    assert host.read(f"{layout.PROFILES}/mine.yaml") == b"mine"
    assert QWEN_ENGINE in gone.left
    assert host.look(layout.RECEIPT) is None


def test_weights_of_the_operator_are_never_looked_into() -> None:
    host, _, _ = installed()
    for path in ("/var/lib/trtllm/qwen/cache/triton/a", "/home/me/model_weights/m/config.json"):
        host.add_file(path, b"x")
    uninstall(host, Heard(), purge=True)
    assert host.look("/var/lib/trtllm") is None  # caches can be made again
    assert host.read("/home/me/model_weights/m/config.json") == b"x"


def test_a_link_that_a_service_made_is_removed_and_not_followed() -> None:
    host, _, _ = installed()
    host.add_file("/srv/precious/file", b"x")
    host.add_link("/var/lib/trtllm/qwen/cache", "/srv/precious")
    uninstall(host, Heard(), purge=True)
    assert host.read("/srv/precious/file") == b"x"


def test_a_profile_that_was_switched_away_leaves_nothing_behind() -> None:
    host, _, before = installed()
    install(host, Options(profile="qwen", simulate=True), Heard())
    uninstall(host, Heard(), purge=False)
    assert state(host) == before


def test_an_uninstall_that_was_cut_off_is_undone_and_the_next_one_completes() -> None:
    host, _, before = installed()
    host.die_after_change = host._attempts + 40
    with pytest.raises(KilledError):
        uninstall(host, Heard(), purge=False)
    host.die_after_change = None
    heard = Heard()
    uninstall(host, heard, purge=False)
    assert "cut off" in heard.text
    assert state(host) == before


def test_a_supervisor_that_cannot_stop_leaves_every_file() -> None:
    host, _, _ = installed()
    installed_state = state(host)
    host.answer_command(["systemctl", "stop"], code=1, stderr="Job timed out")
    with pytest.raises(ApplyFailed, match="Job timed out"):
        uninstall(host, Heard(), purge=False)
    assert state(host) == installed_state


def test_uninstall_needs_root() -> None:
    host, _, _ = installed()
    host.root = False
    with pytest.raises(NeedsRoot):
        uninstall(host, Heard(), purge=False)


def test_an_engine_link_of_the_operator_comes_back() -> None:
    host, systemd, _ = installed()
    uninstall(host, Heard(), purge=False)
    host.add_directory("/opt/trtllm/engines/mine")
    host.add_link(layout.ENGINE_CURRENT, "mine")
    install(host, Options(profile="multi", simulate=True), Heard())
    assert host.resolve(layout.ENGINE_CURRENT).endswith("/simulated")
    uninstall(host, Heard(), purge=False)
    assert host.resolve(layout.ENGINE_CURRENT) == "/opt/trtllm/engines/mine"
    assert systemd.pids == {}
