"""Engines beside one another: what is added, used, removed, and what is refused."""

import pytest

from fakes.fake_engines import HELP, OFFERED, VERSION, offer_engine, place_engine
from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from fakes.heard import Heard
from fakes.installed import installed
from trtllm_install.app.engine_add import Wish, add_engine
from trtllm_install.app.engine_choice import choose_engine
from trtllm_install.app.engines import list_engines, remove_engine, use_engine
from trtllm_install.app.observe import Refused
from trtllm_install.app.options import Options
from trtllm_install.model import layout
from trtllm_install.model.errors import ApplyFailed, ConfigError, NeedsRoot, PreflightFailed
from trtllm_install.receipts.store import read_receipt

PYTHON = "/usr/bin/python3.12"
WHEELS = "/srv/wheels"


def wish(version: str = VERSION, **more: object) -> Wish:
    return Wish(version=version, today="2026-01-01T00:00:00+00:00", **more)  # type: ignore[arg-type]


def buildable(help_text: str = HELP, *, torch: str = "2.9.1+cu130") -> FakeHost:
    """Return a host with Python 3.12, on which venv and pip make an engine."""
    host = debian()
    host.add_program(PYTHON)
    host.answer_command([PYTHON, "-I"], "3.12\nvenv\n")
    host.add_file(f"{WHEELS}/torch-2.9.1-py3-none-any.whl", size=2**20)

    def venv(argv: tuple[str, ...], _: str) -> object:
        home = argv[-1]
        host.make_directory(home, mode=0o755, owner="root")
        place_engine(host, home, help_text=help_text)
        host.answer_command([f"{home}/bin/python", "-m", "ensurepip"])
        host.answer_command([f"{home}/bin/python", "-m", "pip"], "Collecting torch\n")
        versions = f'{{"python": "3.12", "torch": "{torch}"}}'
        host.answer_command([f"{home}/bin/python", "-I"], versions)
        return host._commands[(PYTHON, "-I")].reply

    host.answer_command([PYTHON, "-m", "venv"], by=venv)  # type: ignore[arg-type]
    host.answer_command(["du"], "12345\t/x\n")
    return host


def builds(host: FakeHost) -> tuple[str, ...]:
    return host.names_in(layout.ENGINE_BUILDS)


# adding ------------------------------------------------------------------------
def test_an_engine_is_built_checked_and_then_shown() -> None:
    host, heard = buildable(), Heard()
    added = add_engine(host, wish(wheels=WHEELS), heard)
    assert added.changed
    (shown,) = list_engines(host).engines
    assert shown == added.engine
    assert (shown.origin, shown.size, shown.python, shown.torch) == (
        "built",
        12345,
        "3.12",
        "2.9.1+cu130",
    )
    link = host.look(layout.engine(VERSION))
    assert link
    assert link.target == f"{layout.ENGINE_BUILDS}/{builds(host)[0]}"
    pips = [argv for argv in host.ran if "install" in argv]
    assert all("--no-input" in argv and "--no-index" in argv for argv in pips)
    assert "torch==2.9.1+cu130" in pips[0]
    assert "--constraint" in pips[1]
    assert host.read(f"{shown.home}/constraint.txt") == b"torch==2.9.1+cu130\n"
    assert f"tensorrt_llm=={VERSION}" in heard.text


def test_a_second_add_changes_nothing() -> None:
    host = buildable()
    add_engine(host, wish(wheels=WHEELS), Heard())
    before = host.serials()
    assert not add_engine(host, wish(wheels=WHEELS), Heard()).changed
    assert host.serials() == before


def test_a_lock_beside_the_wheels_is_obeyed() -> None:
    host = buildable()
    host.add_file(f"{WHEELS}/requirements.txt", "torch==2.9.1 --hash=sha256:00\n")
    add_engine(host, wish(wheels=WHEELS), Heard())
    (pip,) = [argv for argv in host.ran if "install" in argv]
    assert pip[-3:] == ("--require-hashes", "-r", f"{WHEELS}/requirements.txt")


@pytest.mark.parametrize(
    ("help_text", "torch", "code"),
    [
        (HELP.replace("--tp_size", "--tp"), "2.9.1+cu130", "engine-options-differ"),
        ("", "2.9.1+cu130", "engine-silent"),
        (HELP, "2.9.1+cu128", "engine-torch-differs"),
    ],
)
def test_an_engine_that_does_not_pass_leaves_nothing(help_text: str, torch: str, code: str) -> None:
    host = buildable(help_text, torch=torch)
    with pytest.raises(Refused) as caught:
        add_engine(host, wish(wheels=WHEELS), Heard())
    assert [f.code for f in caught.value.findings] == [code]
    assert list_engines(host).engines == ()
    assert host.look(layout.ENGINES) is None
    added = add_engine(host, wish(wheels=WHEELS, accept=(code,)), Heard())
    assert added.engine.usable


def test_a_missing_option_is_named() -> None:
    host = buildable(HELP.replace("--tp_size", "--tp"))
    with pytest.raises(Refused, match="option --tp_size is not in the engine"):
        add_engine(host, wish(wheels=WHEELS), Heard())


def test_without_the_right_python_the_command_that_brings_it_is_shown() -> None:
    host = debian()
    host.add_file("/etc/os-release", 'ID=ubuntu\nVERSION_CODENAME="noble"\n')
    host.add_file(f"{WHEELS}/a-1-py3-none-any.whl")
    with pytest.raises(PreflightFailed, match=r"no Python 3\.12 or 3\.10 is here") as caught:
        add_engine(host, wish(wheels=WHEELS), Heard())
    assert caught.value.hint == "sudo apt-get install python3.12-venv"
    assert host.look(layout.ENGINES) is None


def test_a_full_disk_is_seen_before_anything_is_built() -> None:
    host = buildable()
    host.free = 2**20
    with pytest.raises(Refused, match="GiB are free"):
        add_engine(host, wish(wheels=WHEELS), Heard())
    with pytest.raises(Refused, match=r"40\.0 GiB"):
        add_engine(host, wish(), Heard())
    assert not [argv for argv in host.ran if "venv" in argv]


def test_what_a_killed_build_left_is_cleared_by_the_next() -> None:
    host, heard = buildable(), Heard()
    host.add_file(f"{layout.ENGINE_BUILDS}/{VERSION}-dead/bin/python")
    add_engine(host, wish(wheels=WHEELS), heard)
    assert len(builds(host)) == 1
    assert f"{VERSION}-dead" in heard.text


def test_a_failing_pip_is_told_and_leaves_nothing() -> None:
    host = buildable()
    made = host._commands[(PYTHON, "-m", "venv")].reply

    def broken(argv: tuple[str, ...], stdin: str) -> object:
        reply = made(argv, stdin)  # type: ignore[operator]
        host.answer_command(
            [f"{argv[-1]}/bin/python", "-m", "pip"],
            "ERROR: No matching distribution found for torch==2.9.1+cu130\n",
            code=1,
        )
        return reply

    host.answer_command([PYTHON, "-m", "venv"], by=broken)  # type: ignore[arg-type]
    with pytest.raises(ApplyFailed, match="pip finds no") as caught:
        add_engine(host, wish(), Heard())
    assert "--index" in caught.value.hint
    assert host.look(layout.ENGINES) is None


# adopting ----------------------------------------------------------------------
def test_what_is_no_virtual_environment_of_an_engine_is_not_adopted() -> None:
    host = debian()
    with pytest.raises(ConfigError, match="there is no /srv/none/bin/trtllm-serve"):
        add_engine(host, wish(adopt="/srv/none"), Heard())
    with pytest.raises(ConfigError, match="/opt/mine: it is no bin/trtllm-serve") as error:
        choose_engine(host, Options(engine_path="/opt/mine"), None)
    assert error.value.hint == "--engine-path /opt/mine/bin/trtllm-serve"


def test_an_engine_of_somebody_is_adopted_and_never_removed() -> None:
    host = debian()
    offer_engine(host)
    added = add_engine(host, wish(adopt=f"{OFFERED}/bin/trtllm-serve"), Heard())
    assert (added.engine.origin, added.engine.home) == ("adopted", OFFERED)
    with pytest.raises(ConfigError, match="there is one of that name"):
        add_engine(host, wish(adopt="/srv/old"), Heard())
    remove_engine(host, VERSION, Heard())
    assert host.look(f"{OFFERED}/bin/trtllm-serve")
    assert [e.version for e in list_engines(host).engines] == ["old"]


@pytest.mark.parametrize("name", ["../x", "current", "simulated", "", "a/b", ".hidden", "-rf"])
def test_a_name_that_is_no_version_is_refused(name: str) -> None:
    host = debian()
    with pytest.raises(ConfigError, match="as an engine's version"):
        add_engine(host, wish(name), Heard())
    assert host.changes == []


def test_an_unknown_version_is_refused_with_the_known_ones() -> None:
    host = debian()
    offer_engine(host)
    with pytest.raises(Refused, match=f"expected {VERSION}"):
        add_engine(host, wish("9.9", adopt=OFFERED), Heard())
    accepting = wish("9.9", adopt=OFFERED, accept=("engine-version-unknown",))
    assert add_engine(host, accepting, Heard()).changed


# using and removing --------------------------------------------------------------
def simulated_host() -> FakeHost:
    """Return an installed host with a second simulated engine called "other"."""
    host = installed().host
    place_engine(host, "/srv/other")
    host.add_file("/srv/other/bin/trtllm-serve", "trtllm_install.simulator", mode=0o755)
    host.add_link(layout.engine("other"), "/srv/other")
    return host


def test_a_switch_is_one_link_and_is_kept_by_the_next_install() -> None:
    host = simulated_host()
    done = use_engine(host, "other", Options(), Heard())
    assert [c.path for c in done.step.plan.changes] == [layout.ENGINE_CURRENT]
    assert [s.name for s in done.step.plan.services] == ["qwen", "nemotron"]
    receipt = read_receipt(host)
    assert receipt
    assert receipt.links[layout.ENGINE_CURRENT] == layout.engine("other")
    kept = choose_engine(host, Options(simulate=True), receipt)
    assert kept.home == layout.engine("other")
    assert list_engines(host).generation == receipt.generation


def test_an_engine_in_use_is_not_removed() -> None:
    host = simulated_host()
    use_engine(host, "other", Options(), Heard())
    with pytest.raises(ConfigError, match="it is in use") as caught:
        remove_engine(host, "other", Heard())
    assert caught.value.hint == "sudo trtllm-install engine use simulated"
    with pytest.raises(ConfigError, match="belongs to install --simulate"):
        remove_engine(host, "simulated", Heard())


def test_an_engine_that_a_process_runs_from_is_not_removed() -> None:
    host = simulated_host()
    host.add_file("/proc/77/cmdline", b"/srv/other/bin/python\0/srv/other/bin/trtllm-serve\0")
    with pytest.raises(ConfigError, match="process 77 runs from it"):
        remove_engine(host, "other", Heard())


def test_a_folder_that_somebody_put_there_is_not_removed() -> None:
    host = debian()
    host.add_program(f"{layout.engine('1.2.1')}/bin/trtllm-serve")
    with pytest.raises(ConfigError, match="was not made by engine add"):
        remove_engine(host, "1.2.1", Heard())


def test_switching_needs_an_installation_an_engine_and_root() -> None:
    with pytest.raises(ConfigError, match="no receipt"):
        use_engine(debian(), VERSION, Options(), Heard())
    host = simulated_host()
    with pytest.raises(ConfigError, match="none of that name; here: other, simulated"):
        use_engine(host, VERSION, Options(), Heard())
    host.root = False
    for act in (
        lambda: use_engine(host, VERSION, Options(), Heard()),
        lambda: add_engine(host, wish(), Heard()),
        lambda: remove_engine(host, "other", Heard()),
    ):
        with pytest.raises(NeedsRoot):
            act()


def test_a_real_engine_is_no_simulated_one() -> None:
    host = simulated_host()
    host.add_program("/srv/other/bin/trtllm-serve")
    with pytest.raises(PreflightFailed, match="it is not a simulated engine"):
        use_engine(host, "other", Options(), Heard())


def test_an_added_engine_is_taken_when_none_was_chosen() -> None:
    host = debian()
    assert choose_engine(host, Options(), None).home == ""
    host.add_link(layout.engine(VERSION), "/srv/engine")
    assert choose_engine(host, Options(), None).home == layout.engine(VERSION)
    named = choose_engine(host, Options(engine="1.4.0"), None)
    assert (named.version, named.contract) == ("1.4.0", VERSION)
    path = choose_engine(host, Options(engine_path="/srv/v/bin/trtllm-serve"), None)
    assert (path.home, path.version) == ("/srv/v", VERSION)
