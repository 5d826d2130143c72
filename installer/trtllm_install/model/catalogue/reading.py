"""What could not be read."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, warning

KINDS: Final[dict[str, Kind]] = {
    "host-unreadable": error(
        "Part of the host could not be read",
        "observe {}",
        "Reading failed although the caller is root, so nothing can be said about this part.",
    ),
    "needs-root-to-see": warning(
        "Part of the host is hidden from this user",
        "{} was not observed",
        "Reading needs root; the part is neither good nor bad.",
    ),
}
