"""The host around them."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info

KINDS: Final[dict[str, Kind]] = {
    "account-absent": info(
        "Service user does not exist yet",
        "user {} does not exist",
        "install makes it.",
    ),
    "file-removed": error(
        "A file that a service needs was removed here",
        "go on without {}",
        "A file of ours under /etc that was removed stays removed, and something needs this one.",
    ),
}
