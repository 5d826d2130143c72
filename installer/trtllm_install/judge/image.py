"""Judges an image: what has to be in it before it is booted, and what is left to the boot."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from trtllm_install.model import layout
from trtllm_install.model.facts import Facts, Unknown
from trtllm_install.model.findings import Finding, found
from trtllm_install.model.installation import Installation

# The tool works on an image from outside, but for its engines: those are made inside.
_FROM_OUTSIDE: Final = re.compile(
    r"\bsudo trtllm-install(?! engine)(?: (?:check|verify|(?:tls|keys) set))?"
)
_NOTHING_RUNS: Final = re.compile(r"(?:,? then| &&) sudo trtllm-install restart \w+")
_NEW_KEY: Final = "sudo trtllm-install keys add NAME"  # which a running proxy has to confirm
_GIVEN_KEYS: Final = "sudo trtllm-install keys set <FILE"
_INSIDE: Final = re.compile(r"\bsudo (?!systemd-nspawn )(?!trtllm-install (?!engine))")


def check_image(facts: Facts, installation: Installation) -> Iterator[Finding]:
    """Find an image without the tool, and say what nobody can know before it runs."""
    image = facts.image
    if image is None:
        return
    if not image.tool:
        yield found(
            "image-without-tool",
            image.folder,
            what=f"no {layout.supervise()} in it, and every service begins with that",
            expected="the tool inside the image",
            remedy=f"sudo systemd-nspawn -D {image.folder} --bind-ro=$PWD:/src "
            "/src/scripts/bootstrap.sh --version",
        )
    parts = ["ports"]
    if isinstance(facts.gpu, Unknown):
        parts = ["GPUs", "driver", "memory", *parts]
    if image.weights and not installation.simulate:
        parts.append(f"weights of {', '.join(image.weights)}")
    yield found(
        "image-judged-later",
        image.folder,
        what=f"nothing was said about {', '.join(parts)}: the host that boots it decides",
        remedy="trtllm-install check, on that host",
    )


def for_image(finding: Finding, folder: str) -> Finding:
    """Return the finding with a remedy for the image in ``folder``, never for this host."""
    quoted = shlex.quote(folder)
    remedy = _NOTHING_RUNS.sub("", finding.remedy).replace(_NEW_KEY, _GIVEN_KEYS)
    remedy = _FROM_OUTSIDE.sub(lambda match: f"{match[0]} --root {quoted}", remedy)
    remedy = _INSIDE.sub(lambda _: f"sudo systemd-nspawn -D {quoted} ", remedy)
    return replace(finding, remedy=remedy)
