"""``trtllm-install render DIR``."""

import argparse

from trtllm_install.app.render import render
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import change_values, counted
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST, options_of, reading
from trtllm_install.host.local import LocalHost
from trtllm_install.model.errors import ConfigError, ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Write the wanted tree below a folder."""
    folder = absolute(arguments.folder)
    if folder == "/":
        raise ConfigError("cannot render into /: that is what install is for", hint="render ./tree")
    entry = HOST.look(HOST.resolve(folder))
    if entry and entry.kind != "directory":
        raise ConfigError(f"cannot render into {folder}: it is not a folder", hint="render ./tree")
    if entry is None:
        HOST.make_directory(folder, mode=0o755, owner="root")
    with reading(arguments, envelope) as tell:
        written = render(HOST, LocalHost(folder), options_of(arguments), tell)
    envelope.add({"changed": bool(written), "changes": change_values(written)})
    files = sum(change.kind == "file" for change in written)
    envelope.say(f"wrote {counted(files, 'file')} below {folder}")
    return ExitCode.DONE
