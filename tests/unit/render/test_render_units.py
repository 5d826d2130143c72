"""Units and supervisord.conf: what an operator reads in them, and what must never be there."""

import configparser
import dataclasses
import re

import pytest

from fakes.healthy import INSTALLATION, WEIGHTS, instance
from trtllm_install.model import layout
from trtllm_install.model.desired import Directory
from trtllm_install.model.exits import NO_RESTART
from trtllm_install.model.installation import Installation, Proxy
from trtllm_install.render.units import render_supervisord, render_units, unit_path

UNITS = layout.UNITS


def units(
    installation: Installation = INSTALLATION, links_out: dict[str, tuple[str, ...]] | None = None
) -> dict[str, str]:
    rendered = render_units(
        installation, links_out or {}, [Directory(path=layout.RUN, owner=layout.USER)]
    )
    return {path.rsplit("/", 1)[1]: text for path, text in rendered.items()}


def values(text: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


def with_weights(path: str) -> Installation:
    """Both models below one folder, as the weights folder and its default names make them."""
    instances = tuple(
        dataclasses.replace(i, weights=f"{path}/{i.model}") for i in INSTALLATION.instances
    )
    return dataclasses.replace(INSTALLATION, weights_dir=path, instances=instances)


def qwen_with(path: str) -> str:
    """The unit of an instance whose weights alone lie at ``path``."""
    qwen = dataclasses.replace(instance("qwen", 8001), weights=path)
    alone = dataclasses.replace(INSTALLATION, weights_dir="/srv", instances=(qwen,), proxy=None)
    return units(alone)["trtllm-qwen.service"]


# weights in a home that may be 0700 ------------------------------------------
@pytest.mark.parametrize("home", ["/home/me", "/root", "/run/user/1000"])
def test_weights_in_a_home_are_bound_into_the_hidden_home(home: str) -> None:
    text = units(with_weights(f"{home}/model_weights"))["trtllm-qwen.service"]
    assert values(text, "BindReadOnlyPaths") == [f"-{home}/model_weights"]
    assert values(text, "ProtectHome") == ["tmpfs"]


@pytest.mark.parametrize("folder", ["/srv/weights", "/homework/w", "/mnt/home/w", "/rooted"])
def test_weights_elsewhere_need_no_bind(folder: str) -> None:
    text = units(with_weights(folder))["trtllm-qwen.service"]
    assert values(text, "BindReadOnlyPaths") == []
    assert values(text, "RequiresMountsFor") == [f"{folder}/nvidia/Qwen3-30B-A3B-FP4"]


def test_folders_that_links_of_a_checkpoint_lead_to_are_bound_too() -> None:
    """A checkpoint from the hub's cache is links to blobs beside it."""
    cache = "/home/me/.cache/huggingface/hub/models--q/blobs"
    text = units(links_out={"qwen": (cache, "/srv/blobs", f"{WEIGHTS}/blobs")})
    assert values(text["trtllm-qwen.service"], "BindReadOnlyPaths") == [
        f"-{WEIGHTS}",
        f"-{cache}",
    ]
    assert values(text["trtllm-nemotron.service"], "BindReadOnlyPaths") == [f"-{WEIGHTS}"]


def test_an_instance_with_weights_of_its_own_is_bound_to_both() -> None:
    here = dataclasses.replace(INSTALLATION.instances[0], weights="/home/you/qwen")
    installation = dataclasses.replace(INSTALLATION, instances=(here,))
    assert values(units(installation)["trtllm-qwen.service"], "BindReadOnlyPaths") == [
        f"-{WEIGHTS}",
        "-/home/you/qwen",
    ]


def test_a_folder_whose_name_only_begins_alike_is_bound_apart() -> None:
    here = dataclasses.replace(INSTALLATION.instances[0], weights=f"{WEIGHTS}2/q")
    installation = dataclasses.replace(INSTALLATION, instances=(here,))
    assert values(units(installation)["trtllm-qwen.service"], "BindReadOnlyPaths") == [
        f"-{WEIGHTS}",
        f"-{WEIGHTS}2/q",
    ]


# quoting ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/home/me/w", "/home/me/w"),
        ("/home/me/my w", '"/home/me/my w"'),
        ("/home/me/a:b", "/home/me/a\\:b"),
        ("/home/me/50%", "/home/me/50%%"),
        ("/home/me/a\\b", "/home/me/a\\\\b"),
        ('/home/me/"q"', '"/home/me/\\"q\\""'),
        ("/home/me/it's", '"/home/me/it\'s"'),
        ("/home/me/модель", "/home/me/модель"),
    ],
)
def test_a_path_is_written_as_units_want_it(path: str, written: str) -> None:
    assert unit_path(path) == written
    assert values(qwen_with(path), "BindReadOnlyPaths") == [f"-{written}"]


def test_a_colon_means_nothing_where_there_is_only_a_path() -> None:
    assert values(qwen_with("/srv/a:b"), "RequiresMountsFor") == ["/srv/a:b"]


def test_a_model_id_cannot_smuggle_a_specifier_into_a_unit() -> None:
    odd = dataclasses.replace(instance("qwen", 8001), model="me/100%h")
    text = units(dataclasses.replace(INSTALLATION, instances=(odd,)))["trtllm-qwen.service"]
    assert values(text, "Description") == ["TensorRT-LLM: me/100%%h"]


# order and restarts ----------------------------------------------------------
def test_units_only_wish_for_each_other_and_never_require() -> None:
    for name, text in units().items():
        for key in ("Requires", "BindsTo", "Requisite", "Upholds"):
            assert values(text, key) == [], name


def test_each_unit_comes_after_those_it_waits_for() -> None:
    text = units()
    gpu = "network.target trtllm-gpu-ready.service"
    assert values(text["trtllm-qwen.service"], "After") == [gpu]
    assert values(text["trtllm-nemotron.service"], "After") == [f"{gpu} trtllm-qwen.service"]
    assert values(text["trtllm-proxy.service"], "After") == [
        "network.target trtllm-qwen.service trtllm-nemotron.service"
    ]
    every = "trtllm-qwen.service trtllm-nemotron.service trtllm-proxy.service"
    assert values(text["trtllm.target"], "Wants") == [every]
    assert values(text["trtllm.target"], "After") == [every]


def test_every_unit_is_part_of_the_target_and_the_target_does_not_hold_up_a_boot() -> None:
    text = units()
    for name in set(text) - {"trtllm.target", "trtllm.conf"}:
        assert values(text[name], "PartOf") == ["trtllm.target"], name
    assert values(text["trtllm.target"], "DefaultDependencies") == ["no"]
    assert values(text["trtllm.target"], "Conflicts") == ["shutdown.target"]


def test_what_a_restart_cannot_cure_is_not_restarted_by_either_supervisor() -> None:
    codes = [str(code) for code in NO_RESTART]
    for name in ("trtllm-qwen.service", "trtllm-proxy.service"):
        assert values(units()[name], "RestartPreventExitStatus") == [" ".join(codes)]
    programs = configparser.RawConfigParser()
    programs.read_string(render_supervisord(INSTALLATION))
    for name in INSTALLATION.services:
        section = programs[f"program:{name}"]
        assert section["exitcodes"] == ",".join(["0", *codes])  # 0: a stop that was asked for
        assert section["autorestart"] == "unexpected"
        assert section["command"] == f"{layout.supervise()} {name}"


def test_a_stop_waits_for_drain_term_and_kill_under_both_supervisors() -> None:
    programs = configparser.RawConfigParser()
    programs.read_string(render_supervisord(INSTALLATION))
    for name in INSTALLATION.services:
        (waits,) = values(units()[layout.unit(name)], "TimeoutStopSec")
        assert waits == programs[f"program:{name}"]["stopwaitsecs"] == "130"


def test_supervisord_starts_programs_in_the_order_of_the_profile() -> None:
    programs = configparser.RawConfigParser()
    programs.read_string(render_supervisord(INSTALLATION))
    priorities = [int(programs[f"program:{n}"]["priority"]) for n in INSTALLATION.services]
    assert priorities == sorted(set(priorities))
    assert programs["unix_http_server"]["chmod"] == "0700"


# the sandbox -----------------------------------------------------------------
@pytest.mark.parametrize(("port", "needed"), [(80, True), (1023, True), (1024, False)])
def test_only_a_low_port_gets_the_capability_to_bind_it(port: int, needed: bool) -> None:
    installation = dataclasses.replace(INSTALLATION, proxy=Proxy(host="127.0.0.1", port=port))
    text = units(installation)["trtllm-proxy.service"]
    capability = "CAP_NET_BIND_SERVICE" if needed else ""
    assert values(text, "CapabilityBoundingSet") == [capability]
    assert values(text, "AmbientCapabilities") == ([capability] if needed else [])


def test_what_broke_cuda_when_it_was_measured_is_not_in_an_instance() -> None:
    text = units()["trtllm-qwen.service"]
    assert values(text, "PrivateDevices") == []
    assert values(text, "MemoryDenyWriteExecute") == []
    assert "~@resources" not in "".join(values(text, "SystemCallFilter"))
    assert "AF_NETLINK" in values(text, "RestrictAddressFamilies")[0]
    assert values(text, "DeviceAllow") == ["char-nvidia* rw"]


def test_everything_runs_as_the_service_user() -> None:
    for name in INSTALLATION.services:
        assert values(units()[layout.unit(name)], "User") == [layout.USER]


def test_without_a_proxy_there_is_no_proxy_unit() -> None:
    alone = dataclasses.replace(INSTALLATION, proxy=None, instances=INSTALLATION.instances[:1])
    assert "trtllm-proxy.service" not in units(alone)
    assert "proxy" not in render_supervisord(alone)


def test_a_simulated_host_is_not_asked_for_a_gpu_at_boot() -> None:
    real, simulated = (
        values(
            units(dataclasses.replace(INSTALLATION, simulate=simulate))["trtllm-gpu-ready.service"],
            "ExecStart",
        )
        for simulate in (False, True)
    )
    assert real == [f"{layout.TOOL}/bin/trtllm-install gpu-ready"]
    assert simulated == [f"{layout.TOOL}/bin/trtllm-install gpu-ready --simulate"]
