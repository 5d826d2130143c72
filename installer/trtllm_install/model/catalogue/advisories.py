"""What is known to go wrong: configs/advisories.yaml says of which versions, GPUs and models."""

from typing import Final

from trtllm_install.model.catalogue.kind import Kind, error, info, warning

KINDS: Final[dict[str, Kind]] = {
    "known-failure": error(
        "Known not to work",
        "run {}",
        "Others met this combination of version, GPU and settings, and it did not run.",
    ),
    "known-fault": warning(
        "Known to fail at times",
        "{} has a known fault here",
        "Others met this combination of version, GPU and settings, and it failed now and then.",
    ),
    "known-limit": info(
        "Known limit",
        "{} has a known limit",
        "Others met this combination of version, GPU and settings, and something does not help.",
    ),
    "proxy-vulnerable": warning(
        "Proxy program has published faults",
        "{} has faults that are published",
        "The version of OpenResty or nginx is older than the mended ones.",
        "proxy-binary-missing",
    ),
    "proxy-patches-unknown": info(
        "Whether the proxy program is mended is not known",
        "{} may or may not be mended",
        "A distribution mends its packages without a new version, so the version does not tell.",
    ),
}
