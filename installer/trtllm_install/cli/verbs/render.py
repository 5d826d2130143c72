"""``trtllm-install render DIR``."""

import argparse
import os

from trtllm_install.app.render import render
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import change_values, counted
from trtllm_install.cli.wiring import HOST, options_of, reading
from trtllm_install.host.local import LocalHost
from trtllm_install.model.errors import ConfigError, ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Write the wanted tree below a folder."""
    folder = os.path.abspath(arguments.folder)  # noqa: PTH100 (kept as it was said)
    if folder == "/":
        raise ConfigError("cannot render into /: that is what install is for", hint="render ./tree")
    if HOST.look(folder) is None:
        HOST.make_directory(folder, mode=0o755, owner="root")
    with reading(arguments, envelope) as tell:
        written = render(HOST, LocalHost(folder), options_of(arguments), tell)
    envelope.add({"changed": bool(written), "changes": change_values(written)})
    files = sum(change.kind == "file" for change in written)
    envelope.say(f"wrote {counted(files, 'file')} below {folder}")
    return ExitCode.DONE
