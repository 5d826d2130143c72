"""``trtllm-install gpu-ready``: ExecStart of trtllm-gpu-ready.service."""

import argparse

from trtllm_install.app.gpu_ready import await_gpus
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Load nvidia-uvm, make its device nodes, wait until NVML counts a GPU."""
    envelope.say(await_gpus(HOST, simulate=arguments.simulate))
    return ExitCode.DONE
