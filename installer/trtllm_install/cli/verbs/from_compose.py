"""``trtllm-install from-compose FILE``."""

import argparse

from trtllm_install.app.from_compose import files_of, read_compose, write_files
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import counted
from trtllm_install.cli.values import absolute
from trtllm_install.cli.wiring import HOST
from trtllm_install.config.from_compose import FromCompose
from trtllm_install.model import layout
from trtllm_install.model.errors import ExitCode


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Print the profiles and the site file that a compose file comes to, or write them."""
    path = absolute(arguments.file)
    found = read_compose(HOST, path)
    envelope.add({"compose": compose_values(path, found)})
    if arguments.write:
        folder = absolute(arguments.write)
        files = files_of(HOST, found)
        written = write_files(HOST, folder, files)
        envelope.add({"changed": bool(written)})
        envelope.say(f"wrote {counted(len(written), 'file')} below {folder}")
        for name in written:
            envelope.say(f"  {name}")
    else:
        for name, text in found.profiles.items():
            _show(envelope, f"{layout.PROFILES}/{name}.yaml", text)
        if found.site:
            _show(envelope, layout.SITE_FILE, found.site)
        for name, source in found.engine.items():
            envelope.say(f"# {layout.ENGINE_CONFIGS}/{name} is a copy of {source}")
        envelope.say()
        envelope.say(f"write them: sudo trtllm-install from-compose {path} --write {layout.ETC}")
    for note in found.notes:
        envelope.note(note)
    envelope.say("then, for one of them:" if len(found.profiles) > 1 else "then:")
    for name in found.profiles:
        envelope.say(f"  sudo trtllm-install --profile {name}")
    return ExitCode.DONE


def compose_values(path: str, found: FromCompose) -> dict[str, object]:
    """Return what a compose file comes to, for JSON."""
    return {
        "file": path,
        "profiles": dict(found.profiles),
        "site": found.site,
        "engine": dict(found.engine),
        "notes": list(found.notes),
    }


def _show(envelope: Envelope, path: str, text: str) -> None:
    envelope.say(f"# {path}")
    envelope.say(text)
