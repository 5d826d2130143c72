"""``trtllm-install engine use``."""

import argparse

from trtllm_install.app.engines import use_engine
from trtllm_install.app.options import Options
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.verbs.install import told_install
from trtllm_install.cli.wiring import HOST, working
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Switch to another engine."""
    options = Options(
        site=arguments.site, accept=tuple(arguments.accept), timeout_s=arguments.timeout
    )
    with working(HOST, arguments, envelope) as (host, tell):
        return told_install(tell, envelope, lambda: use_engine(host, arguments.name, options, tell))
