"""``trtllm-install bundle verify`` and ``bundle unpack``. Standard library only."""

import argparse

from trtllm_install.app.bundle_use import read_bundle, unpack
from trtllm_install.cli.bundle_words import bundle_lines, bundle_values
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Say whether a bundle is whole, and if asked for write its files."""
    path, pinned = absolute(arguments.file), arguments.bundle_sha256 or ""
    manifest = read_bundle(HOST, path, pinned=pinned, here=arguments.here)
    envelope.add({"bundle": bundle_values(path, manifest)})
    if arguments.verb == "bundle unpack":
        folder = absolute(arguments.folder)
        unpack(HOST, path, folder, pinned=pinned)
        envelope.add({"changed": True})
        envelope.say(f"unpacked into {folder}")
        return ExitCode.DONE
    for line in bundle_lines(path, manifest):
        envelope.say(line)
    return ExitCode.DONE
