"""The Ansible collection of this checkout, where Ansible looks for collections."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from lab import checkout, needs

PLUGINS = "ansible_collections.trtllm.host.plugins"


def place(folder: Path, *, copied: bool = False) -> Path:
    """Put the collection below ``folder`` and return its place; links are followed in a copy."""
    home = folder / "ansible_collections/trtllm/host"
    home.parent.mkdir(parents=True, exist_ok=True)
    if copied:
        shutil.copytree(checkout.ROOT / "ansible", home)
    else:
        home.symlink_to(checkout.ROOT / "ansible")
    return home


def load(folder: Path, name: str) -> ModuleType:
    """Import a plugin, ``modules.trtllm_info`` say, of the collection placed below ``folder``."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        for known in [m for m in sys.modules if m.split(".")[0] == "ansible_collections"]:
            del sys.modules[known]
        importlib.invalidate_caches()
    return importlib.import_module(f"{PLUGINS}.{name}")


def run_play(folder: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook in ``folder``, where the collection is placed, and by no other file."""
    (folder / "ansible.cfg").write_text("", encoding="utf-8")
    return subprocess.run(
        [needs.program("ansible-playbook"), *words],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            **settings,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
