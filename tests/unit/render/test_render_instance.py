"""What an engine is started with."""

import dataclasses
import json

import pytest

from fakes.fake_systemd import debian
from fakes.healthy import INSTALLATION, instance
from trtllm_install import resources
from trtllm_install.app.options import Options
from trtllm_install.app.prepare import prepare
from trtllm_install.model import layout
from trtllm_install.model.contract import parse_contract
from trtllm_install.model.installation import Installation, Proxy
from trtllm_install.model.launchspec import LaunchSpec
from trtllm_install.render.instance import (
    Footprint,
    engine_argv,
    engine_environment,
    engine_spec,
    proxy_spec,
)

CUDA = "/usr/local/cuda"
VERSION = "1.3.0rc2"
CONTRACT = parse_contract(json.loads(resources.read_text("configs/contract/1.3.0rc2.json")))


def shipped(profile: str) -> Installation:
    return prepare(debian(), Options(profile=profile, weights_dir="/w"), None).installation


@pytest.mark.parametrize("profile", ["qwen", "nemotron", "multi"])
def test_trtllm_serve_accepts_the_command_line_of_every_shipped_instance(profile: str) -> None:
    for one in shipped(profile).instances:
        argv = engine_argv(one)
        assert argv[:3] == (layout.trtllm_serve(), "serve", one.weights)
        assert CONTRACT.problems_in_arguments(argv[1:]) == ()


def test_a_misspelt_option_would_have_been_seen() -> None:
    odd = dataclasses.replace(instance("qwen", 8001), arguments=("--trust_remote_cod",))
    assert CONTRACT.problems_in_arguments(engine_argv(odd)[1:])


def test_the_command_lines_of_multi() -> None:
    assert [" ".join(engine_argv(i)) for i in shipped("multi").instances] == [
        (
            f"{layout.trtllm_serve()} serve /w/nvidia/Qwen3-30B-A3B-FP4 "
            f"--host 127.0.0.1 --port 8001 --backend _autodeploy "
            f"--config /etc/trtllm/engine/qwen_multi.yaml"
        ),
        (
            f"{layout.trtllm_serve()} serve /w/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4 "
            f"--host 127.0.0.1 --port 8002 --backend _autodeploy "
            f"--config /etc/trtllm/engine/nano_v3.yaml "
            f"--trust_remote_code --reasoning_parser deepseek-r1"
        ),
    ]


def test_without_an_engine_file_there_is_no_config_option() -> None:
    bare = dataclasses.replace(instance("qwen", 8001), engine_config="")
    assert "--config" not in engine_argv(bare)


def test_the_hub_is_off_and_every_cache_is_in_the_state_folder_of_the_instance() -> None:
    environment = engine_environment(instance("qwen", 8001), CUDA, VERSION)
    home = "/var/lib/trtllm/qwen"
    assert environment["HOME"] == home
    assert (environment["HF_HUB_OFFLINE"], environment["TRANSFORMERS_OFFLINE"]) == ("1", "1")
    caches = {name for name in environment if "CACHE" in name or name in CACHES}
    assert caches >= CACHES
    for name in caches - {"CUDA_CACHE_MAXSIZE"}:
        assert f"{environment[name]}/".startswith(f"{home}/cache/{VERSION}/"), name
    assert environment["CUDA_HOME"] == CUDA
    assert environment["OMPI_MCA_plm"] == "isolated"
    path = environment["PATH"].split(":")
    assert path[:2] == [f"{layout.ENGINE_CURRENT}/bin", f"{CUDA}/bin"]


CACHES = {
    *("CUDA_CACHE_PATH", "XDG_CACHE_HOME", "HF_HOME", "HF_MODULES_CACHE", "TRITON_CACHE_DIR"),
    *("TORCHINDUCTOR_CACHE_DIR", "FLASHINFER_WORKSPACE_BASE", "TLLM_AUTOTUNER_CACHE_PATH"),
    "TRTLLM_DG_CACHE_DIR",
}


def test_another_engine_version_reads_no_kernels_of_this_one() -> None:
    one, other = (engine_environment(instance("qwen", 8001), CUDA, v) for v in ("1", "2"))
    assert all(one[name] != other[name] for name in CACHES)
    assert engine_spec(instance("qwen", 8001), CUDA, "2").cache_dir == other["XDG_CACHE_HOME"]


def test_the_launcher_is_told_what_a_load_takes() -> None:
    footprint = Footprint(weights_bytes=18, gpu_bytes={"0": 31})
    spec = engine_spec(instance("qwen", 8001), CUDA, VERSION, footprint=footprint)
    assert (spec.weights_bytes, spec.gpu_bytes, spec.preread) == (18, {"0": 31}, True)
    assert spec.gpu_argv[-1] == "trtllm_install.probes.nvml_child"


def test_nothing_is_read_ahead_where_page_cache_is_gpu_memory() -> None:
    footprint = Footprint(unified_memory=True)
    assert not engine_spec(instance("qwen", 8001), CUDA, VERSION, footprint=footprint).preread


def test_without_gpus_the_driver_is_not_asked() -> None:
    assert engine_spec(instance("qwen", 8001), CUDA, VERSION).gpu_argv == ()


def test_two_instances_share_no_cache() -> None:
    one, other = (engine_environment(i, CUDA, VERSION) for i in INSTALLATION.instances)
    assert all(one[name] != other[name] for name in CACHES)


def test_gpus_are_named_only_where_they_were_chosen() -> None:
    assert "CUDA_VISIBLE_DEVICES" not in engine_environment(instance("qwen", 8001), CUDA, VERSION)
    chosen = dataclasses.replace(instance("qwen", 8001), gpus=("1", "GPU-ab"))
    environment = engine_environment(chosen, CUDA, VERSION)
    assert environment["CUDA_VISIBLE_DEVICES"] == "1,GPU-ab"
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert engine_spec(chosen, CUDA, VERSION).gpus == ("1", "GPU-ab")


def test_an_engine_is_healthy_only_after_a_token() -> None:
    spec = engine_spec(INSTALLATION.instances[1], CUDA, VERSION)
    assert (spec.kind, spec.after) == ("engine", ("qwen",))
    assert (spec.health_path, spec.generate_path) == ("/health", "/health_generate")


def test_the_proxy_waits_for_every_instance_and_stays_in_the_foreground() -> None:
    spec = proxy_spec(INSTALLATION, Proxy(host="127.0.0.1", port=8000), "/usr/sbin/nginx")
    assert spec.after == ("qwen", "nemotron")
    assert spec.argv[-1] == "daemon off;"
    assert (spec.kind, spec.generate_path) == ("proxy", None)


def test_the_launcher_reads_what_is_rendered() -> None:
    spec = engine_spec(INSTALLATION.instances[0], CUDA, VERSION)
    again = LaunchSpec.from_json(spec.to_json())
    assert again.to_json() == spec.to_json()


def test_a_real_engine_has_its_gpus_watched_and_a_simulated_one_has_none() -> None:
    chosen = dataclasses.replace(instance("qwen", 8001), gpus=("1", "GPU-ab"))
    watch = engine_spec(chosen, CUDA, VERSION).gpu_watch
    assert watch[0].startswith(layout.TOOL)
    assert watch[-3:] == ("trtllm_install.probes.gpu_events_child", "1", "GPU-ab")
    assert engine_spec(chosen, CUDA, VERSION, simulate=True).gpu_watch == ()


def test_a_busy_engine_is_given_up_when_the_proxy_gives_it_up() -> None:
    patient = Proxy(host="127.0.0.1", port=8000, first_byte_s=4000)
    spec = engine_spec(instance("qwen", 8001), CUDA, VERSION, proxy=patient)
    assert spec.liveness.busy_s == 4000
