"""The host around them."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, info

KINDS: Final[dict[str, Kind]] = {
    "account-absent": info(
        "Service user does not exist yet",
        "user {} does not exist",
        "install makes it.",
    ),
}
