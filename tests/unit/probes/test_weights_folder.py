"""Whose home ``~`` is."""

import pytest

from fakes.fake_host import FakeHost
from trtllm_install.model.errors import ConfigError, ExitCode
from trtllm_install.probes.weights_folder import in_the_way, weights_folder


@pytest.fixture
def sudo() -> FakeHost:
    host = FakeHost(variables={"SUDO_USER": "me", "HOME": "/root", "USER": "root"})
    host.add_account("me", "/home/me")
    return host


def test_under_sudo_the_calling_users_home_is_meant(sudo: FakeHost) -> None:
    assert weights_folder(sudo, None, None) == "/home/me/model_weights"
    assert weights_folder(sudo, None, "~/w/") == "/home/me/w"
    assert weights_folder(sudo, "~root/w", None) == "/root/w"


def test_without_root_the_own_home_is_meant() -> None:
    host = FakeHost(root=False, variables={"HOME": "/home/you", "SUDO_USER": "me"})
    assert weights_folder(host, None, None) == "/home/you/model_weights"


def test_option_beats_site_file_beats_default(sudo: FakeHost) -> None:
    assert weights_folder(sudo, "/a/", "/b") == "/a"
    assert weights_folder(sudo, None, "/b") == "/b"


@pytest.mark.parametrize("variables", [{}, {"SUDO_USER": "root"}, {"SUDO_USER": ""}])
def test_roots_own_home_is_never_used_by_accident(variables: dict[str, str]) -> None:
    host = FakeHost(variables={"HOME": "/root", **variables})
    with pytest.raises(ConfigError, match="root called without sudo") as refusal:
        weights_folder(host, None, None)
    assert refusal.value.hint == "--weights-dir DIR"
    assert refusal.value.exit_code is ExitCode.USAGE
    assert weights_folder(host, "/srv/weights", None) == "/srv/weights"


def test_user_without_home_is_named(sudo: FakeHost) -> None:
    with pytest.raises(ConfigError, match="user nobody-here has no home"):
        weights_folder(sudo, "~nobody-here/w", None)
    sudo.accounts.clear()
    with pytest.raises(ConfigError, match="the calling user has no home"):
        weights_folder(sudo, None, None)


def test_relative_folder_is_refused_with_the_absolute_one(sudo: FakeHost) -> None:
    with pytest.raises(ConfigError, match="not an absolute path") as refusal:
        weights_folder(sudo, "weights", None)
    assert refusal.value.hint == '--weights-dir "$PWD/weights"'


def test_what_keeps_a_folder_from_being_there_is_named() -> None:
    host = FakeHost()
    host.add_directory("/srv/there")
    host.add_link("/srv/away", "/mnt/unplugged")
    host.add_file("/srv/file")
    assert in_the_way(host, "/srv/there/nvidia/x") == ""
    said = "/srv/away is a link to /mnt/unplugged, and nothing is there"
    assert in_the_way(host, "/srv/away/nvidia/x") == said
    assert in_the_way(host, "/srv/file/nvidia/x") == "/srv/file is no folder"
