"""``trtllm-install restart``: see start."""

from trtllm_install.cli.verbs.start import run

__all__ = ["run"]
