"""What an operator gets wrong in words and files is told by its cause, not by what follows."""

from dataclasses import replace

import pytest

from fakes.fake_host import FakeHost
from fakes.fake_systemd import debian
from fakes.heard import Heard
from fakes.installed import MULTI, installed
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError

QWEN = f"{layout.ENGINE_CONFIGS}/qwen_multi.yaml"


@pytest.fixture
def host() -> FakeHost:
    host = debian()
    host.add_directory(layout.ETC)
    return host


def refused(host: FakeHost, options: Options) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        look_at(host, options, Heard())
    return caught.value


@pytest.mark.parametrize(
    ("wrong", "said"), [({"only": ("gpuu",)}, "gpuu"), ({"accept": ("nonsense",)}, "nonsense")]
)
def test_a_code_that_there_is_not_is_told_before_what_the_host_lacks(
    host: FakeHost, wrong: dict[str, tuple[str, ...]], said: str
) -> None:
    assert said in refused(host, Options(profile="multi", **wrong)).message  # type: ignore[arg-type]


def test_a_wrong_profile_is_told_with_the_file_that_says_it(host: FakeHost) -> None:
    host.add_file(layout.SITE_FILE, "profile: mutli\n")
    error = refused(host, Options(simulate=True))
    assert "did you mean multi?" in error.message
    assert error.hint.startswith(f"edit profile in {layout.SITE_FILE}, or trtllm-install --profile")
    assert "edit" not in refused(host, Options(profile="mutli", simulate=True)).hint


def test_a_site_file_that_is_a_folder_or_nowhere_is_told(host: FakeHost) -> None:
    folder = refused(host, replace(MULTI, site=layout.ETC))
    assert folder.message == f"cannot read {layout.ETC}: it is a folder"
    nowhere = refused(host, replace(MULTI, site=f"{layout.ETC}/no.yaml"))
    assert (nowhere.message.endswith(": no such file"), nowhere.hint) == (True, "ls -l /etc/trtllm")


def test_a_wrong_weights_folder_is_told_as_that_on_a_simulated_host_too() -> None:
    error = refused(installed().host, replace(MULTI, weights_dir="models"))
    assert error.hint == '--weights-dir "$PWD/models"'


def test_a_folder_among_the_profiles_is_none_of_them(host: FakeHost) -> None:
    host.add_directory(layout.PROFILES)
    host.add_directory(f"{layout.PROFILES}/old.yaml")
    host.add_link(f"{layout.PROFILES}/.#mine.yaml", "me@host.123")  # what Emacs has open
    assert (
        "known: front, multi, nemotron, qwen" in refused(host, replace(MULTI, profile="x")).message
    )
    look_at(host, MULTI, Heard())


@pytest.mark.parametrize(
    ("where", "told"),
    [
        (layout.SITE_FILE, f"{layout.SITE_FILE}: instances.qwen: kv_cache_config.free_gpu"),
        (QWEN, f"{QWEN}: kv_cache_config.free_gpu"),
    ],
)
def test_a_key_that_the_engine_refuses_is_told_where_it_can_be_mended(
    host: FakeHost, where: str, told: str
) -> None:
    """Not in the file that is made of both, which nobody edits."""
    host.add_directory(layout.ENGINE_CONFIGS)
    wrong = "kv_cache_config: {free_gpu_memory_fraction: 2}"
    host.add_file(layout.SITE_FILE, "instances: {qwen: {max_batch_size: 2}}\n")
    if where == QWEN:
        host.add_file(QWEN, f"{wrong}\n")
    else:
        host.add_file(layout.SITE_FILE, f"instances: {{qwen: {{engine: {{{wrong}}}}}}}\n")
    error = refused(host, MULTI)
    assert told in error.message
    assert error.hint == f"edit {where}, then run the same command again"
