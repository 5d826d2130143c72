"""Profile + site + command line."""

import pytest

from trtllm_install import resources
from trtllm_install.config.combine import Choices, combine
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.installation import Installation


def combined(name: str = "multi", site: str = "") -> Installation:
    profile = parse_profile(resources.read_text(f"configs/profiles/{name}.yaml"), name)
    choices = Choices(
        profile=name,
        engine_version="1.3.0rc2",
        checked_as="1.3.0rc2",
        weights_dir="/srv/w",
        supervisor="systemd",
        simulate=False,
    )
    known = frozenset({"qwen", "nemotron"})
    return combine(profile, parse_site(site, "site.yaml", known), choices)


def test_weights_lie_below_the_weights_folder_by_model_id() -> None:
    assert combined().instances[0].weights == "/srv/w/nvidia/Qwen3-30B-A3B-FP4"


def test_behind_a_proxy_instances_stay_on_loopback_whatever_listens() -> None:
    installation = combined(site="listen: 0.0.0.0\nport: 9000\n")
    assert {i.host for i in installation.instances} == {"127.0.0.1"}
    assert installation.endpoint == ("0.0.0.0", 9000)


def test_alone_the_instance_holds_the_public_address_itself() -> None:
    installation = combined("qwen", "listen: 192.0.2.1\nport: 9000\n")
    assert installation.proxy is None
    assert installation.endpoint == ("192.0.2.1", 9000)
    assert installation.services == ("qwen",)


def test_the_site_file_changes_port_gpus_arguments_and_fraction_of_one_instance() -> None:
    site = """
instances:
  nemotron:
    port: 9002
    gpus: [1]
    arguments: [--trust_remote_code]
    free_gpu_memory_fraction: 0.4
"""
    qwen, nemotron = combined(site=site).instances
    assert (nemotron.port, nemotron.gpus, nemotron.arguments) == (
        9002,
        ("1",),
        ("--trust_remote_code",),
    )
    assert nemotron.engine_overrides == {"kv_cache_config": {"free_gpu_memory_fraction": 0.4}}
    assert nemotron.engine_config_path == "/etc/trtllm/engine/nemotron.site.yaml"
    assert qwen.engine_config_path == "/etc/trtllm/engine/qwen_multi.yaml"


def test_a_site_port_that_another_service_holds_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot give qwen port 8000: it is the port of the prox"):
        combined(site="instances: {qwen: {port: 8000}}\n")


def test_services_are_named_in_start_order_the_proxy_last() -> None:
    assert combined().services == ("qwen", "nemotron", "proxy")
