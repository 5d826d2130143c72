"""How `drain --list` shows backends whose names are as long as those of a front tier."""

import json

import pytest

from fakes.command_line import CommandLine
from trtllm_install.host.protocol import Answer
from trtllm_install.model import layout

PEER = "gpu1/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4"


def test_a_long_name_stands_apart_from_its_state(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = CommandLine(monkeypatch, capsys)
    said = {"state": "healthy", "serving": True, "draining": True, "in_flight": 2}
    line.installed().host.answer_http(
        "GET",
        "/-/status",
        Answer(status=200, body=json.dumps({"backends": {PEER: said, "qwen": said}}).encode()),
        unix_socket=layout.PROXY_ADMIN_SOCKET,
    )
    ran = line.run("drain", "--list")
    rows = [row.split(maxsplit=1) for row in ran.out.splitlines() if "in flight" in row]
    assert rows == [[name, "healthy, drained, 2 in flight"] for name in (PEER, "qwen")]
