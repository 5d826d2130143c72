"""``trtllm-install bundle create``."""

import argparse
import os
import time

from trtllm_install.app.bundle_create import BundleWish, create_bundle
from trtllm_install.cli.bundle_words import bundle_lines, bundle_values
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST, waiting
from trtllm_install.model.errors import ConfigError, ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Make a bundle."""
    wish = BundleWish(
        path=absolute(arguments.file),
        now=_now(),
        platform=arguments.platform or "",
        python=arguments.python or "",
        engine=arguments.engine or "",
        engine_python=arguments.engine_python or "",
        index=arguments.index or "",
        packages=absolute(arguments.packages) if arguments.packages else "",
    )
    with waiting(arguments, envelope) as tell:
        made = create_bundle(HOST, wish, tell)
    envelope.add({"changed": True, "bundle": bundle_values(wish.path, made.manifest)})
    for line in bundle_lines(wish.path, made.manifest):
        envelope.say(line)
    name = os.path.basename(wish.path)  # noqa: PTH119
    envelope.say()
    envelope.say("On the host:")
    envelope.say(f"  tar xf {name} && sudo ./bootstrap.sh --bundle {name} \\")
    envelope.say(f"    --bundle-sha256 {made.sha256} --profile PROFILE")
    return ExitCode.DONE


def _now() -> int:
    """Return the time that the bundle carries (reproducible-builds.org)."""
    stated = HOST.environment("SOURCE_DATE_EPOCH")
    if stated is None:
        return int(time.time())
    if not stated.isdecimal():
        raise ConfigError(
            f"cannot read SOURCE_DATE_EPOCH: {stated!r} is not a number of seconds",
            hint="export SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)",
        )
    return int(stated)
