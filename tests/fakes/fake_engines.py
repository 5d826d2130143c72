"""Engines on a fake host: one that can be adopted, one that was."""

from fakes.fake_host import FakeHost
from trtllm_install.app.engine_choice import default_version, read_contract
from trtllm_install.model import layout
from trtllm_install.simulator.usage import render_help

VERSION = default_version()
OFFERED = "/srv/engine"
HELP = render_help(read_contract(VERSION))
_PACKAGE = f"lib/python3.12/site-packages/tensorrt_llm-{VERSION}.dist-info/METADATA"


def offer_engine(host: FakeHost, home: str = OFFERED, *, help_text: str = HELP) -> None:
    """Put a whole engine at ``home``, and a link to another one called "old"."""
    place_engine(host, home, help_text=help_text)
    place_engine(host, "/srv/old", help_text=help_text)
    host.add_link(layout.engine("old"), "/srv/old")


def place_engine(host: FakeHost, home: str, *, help_text: str = HELP) -> None:
    """Put an engine there that answers as one of the pinned version does."""
    host.add_program(f"{home}/bin/trtllm-serve")
    host.add_file(f"{home}/{_PACKAGE}")
    host.answer_command([f"{home}/bin/trtllm-serve", "serve", "--help"], help_text)
    host.answer_command([f"{home}/bin/python"], '{"python": "3.12", "torch": "2.9.1+cu130"}')
