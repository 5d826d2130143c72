"""The host around them."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info

KINDS: Final[dict[str, Kind]] = {
    "image-without-tool": error(
        "Tool is not in the image",
        "let {} serve once it is booted",
        "Services of an image begin with the launcher, which bootstrap.sh puts into it.",
    ),
    "image-judged-later": info(
        "Part of an image is judged later",
        "{} is an image",
        "What only the machine knows is left to `check` on the host that boots the image.",
    ),
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
