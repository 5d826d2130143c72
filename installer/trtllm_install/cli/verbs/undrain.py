"""``trtllm-install undrain``: see drain."""

from trtllm_install.cli.verbs.drain import run

__all__ = ["run"]
