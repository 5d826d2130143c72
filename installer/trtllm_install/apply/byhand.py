"""What is left to do when undoing is refused: a command for each step."""

import shlex

from trtllm_install.apply.journal import Numbered
from trtllm_install.model import layout
from trtllm_install.model.tree import Action, Change

_BY_NAME = {"account": "userdel", "package": "apt-get purge"}


def command_for(numbered: Numbered) -> str:
    """Return the command that undoes one change, empty where there is nothing to undo."""
    change = numbered.entry
    if not isinstance(change, Change):
        return ""
    path, old = shlex.quote(change.path), change.old
    if change.kind in _BY_NAME:
        return f"sudo {_BY_NAME[change.kind]} {path}" if change.action is Action.CREATE else ""
    if old is None:
        return _unmake_folder(change) if change.kind == "directory" else f"sudo rm -f {path}"
    match old.kind:
        case "file":
            return f"sudo cp -a --remove-destination {numbered.old_at} {path}"
        case "link":
            return f"sudo ln -sfn {shlex.quote(old.target)} {path}"
        case _:
            owner = f"-o {old.owner} -g {old.group or old.owner}"
            return f"sudo install -d -m {old.mode:04o} {owner} {path}"


def _unmake_folder(change: Change) -> str:
    """As undo_change does it: what services put there goes with it, what others did stays."""
    path = shlex.quote(change.path)
    if change.path == layout.LOGS:
        return f"sudo rmdir {path} || sudo chown root: {path}"
    if change.owner == layout.USER:
        return f"sudo rm -rf {path}"
    return f"sudo rmdir --ignore-fail-on-non-empty {path}"
