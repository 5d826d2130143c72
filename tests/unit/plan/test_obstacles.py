"""What stands in the place of a file of ours and is somebody's."""

import pytest

from fakes.heard import Heard
from fakes.installed import MULTI, installed
from trtllm_install.app.install import install
from trtllm_install.app.options import Options
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError

QWEN = f"{layout.ENGINE_CONFIGS}/qwen_multi.yaml"


def test_a_link_to_somebody_s_own_configuration_is_an_edit() -> None:
    host = installed().host
    host.add_file("/srv/qwen.yaml", (host.read(QWEN) or b"") + b"# mine\n")
    host.remove(QWEN)
    host.add_link(QWEN, "/srv/qwen.yaml")
    before = host.tree()
    with pytest.raises(ConfigError, match="a link to") as error:
        install(host, MULTI, Heard())
    assert f"sudo mv {QWEN} {QWEN}.aside" in error.value.hint
    assert host.tree() == before
    install(host, Options(profile="multi", simulate=True, on_conflict="replace"), Heard())
    assert host.nodes[QWEN].kind == "file"


def test_a_unit_that_was_masked_stays_so() -> None:
    host = installed().host
    unit = f"{layout.UNITS}/{layout.unit('nemotron')}"
    host.remove(unit)
    host.add_link(unit, "/dev/null")
    with pytest.raises(ConfigError, match="is a link to /dev/null"):
        install(host, MULTI, Heard())
