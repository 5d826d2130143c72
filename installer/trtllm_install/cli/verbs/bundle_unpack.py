"""``trtllm-install bundle unpack``: see bundle_verify."""

from trtllm_install.cli.verbs.bundle_verify import run

__all__ = ["run"]
