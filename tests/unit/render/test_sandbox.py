"""The sandbox of the unit that is shipped, and of what operators add to it."""

from fakes.healthy import INSTALLATION
from trtllm_install.model import layout
from trtllm_install.render.sandbox import sandbox_of
from trtllm_install.render.units import render_units

UNIT = render_units(INSTALLATION, {}, [])[f"{layout.UNITS}/trtllm-qwen.service"]


def test_every_restriction_of_the_unit_is_in_it_and_nothing_that_it_does() -> None:
    groups = sandbox_of(UNIT)
    keys = {text.partition("=")[0] for group in groups for text in group}
    assert {"User", "ProtectSystem", "SystemCallFilter", "LimitMEMLOCK", "UMask"} <= keys
    assert {"RestrictAddressFamilies", "RestrictNamespaces", "NoNewPrivileges"} <= keys
    assert not keys & {
        "ExecStart",
        "Type",
        "Restart",
        "RestartSec",
        "StateDirectory",
        "WatchdogSec",
    }
    assert ("CapabilityBoundingSet=",) in groups


def test_what_means_something_only_together_stays_together() -> None:
    groups = sandbox_of(UNIT)
    assert ("DevicePolicy=closed", "DeviceAllow=char-nvidia* rw") in groups
    assert ("User=trtllm", "Group=trtllm") in groups
    home = next(group for group in groups if "ProtectHome=tmpfs" in group)
    assert "BindReadOnlyPaths=-/home/me/model_weights" in home


def test_drop_in_of_an_operator_joins_the_group_of_its_key() -> None:
    drop_in = "# mine\n[Unit]\nProtectClock=no\n[Service]\nProtectClock=no\nMemoryMax=50%%\n"
    groups = sandbox_of(UNIT, drop_in)
    assert ("ProtectClock=yes", "ProtectClock=no") in groups
    assert ("MemoryMax=50%",) in groups
