"""What the golden files and the shipped schemas are made by.

``scripts/golden-update.sh`` runs this module; ``test_golden.py`` compares. The lualib is
shipped as it is in ``templates/`` and so is not here a second time.
"""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Final

from fakes.fake_systemd import MODULES, NGINX, debian
from fakes.healthy import FACTS, WEIGHTS
from trtllm_install.app.desired import desired_tree
from trtllm_install.app.options import Options
from trtllm_install.app.prepare import prepare
from trtllm_install.config.advisories import AdvisoriesShape
from trtllm_install.config.schemas import ProfileShape, SiteShape, json_schema
from trtllm_install.model.desired import Desired
from trtllm_install.model.facts import ProxyBinary

GOLDEN: Final = Path(__file__).resolve().parent
REPOSITORY: Final = GOLDEN.parents[1]
VARIANTS: Final = ("systemd", "supervisord")
LISTING: Final = "tree.txt"

_PROXY = ProxyBinary(
    kind="nginx",
    path=NGINX,
    version="1.22.1",
    modules=(f"{MODULES}/ndk_http_module.so", f"{MODULES}/ngx_http_lua_module.so"),
    lua_path="/usr/share/lua/5.1/?.lua;;",
    lua_cpath="/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;",
)


def desired(supervisor: str) -> Desired:
    """Return what ``--profile multi`` wants on a host without a site file."""
    host = debian()
    options = Options(
        profile="multi",
        weights_dir=WEIGHTS,
        engine_path="/opt/trtllm/engines/1.3.0rc2/bin/trtllm-serve",
    )
    wanted = prepare(host, options, None)
    installation = dataclasses.replace(wanted.installation, supervisor=supervisor)
    wanted = dataclasses.replace(wanted, installation=installation)
    facts = dataclasses.replace(FACTS, proxy=_PROXY)
    return desired_tree(wanted, facts)


def golden_files(supervisor: str) -> dict[str, bytes]:
    """Return path below the variant's folder → content, a listing of the whole among them."""
    tree = desired(supervisor)
    files = {
        file.path.lstrip("/"): _without_generation(file.content)
        for file in tree.files
        if not any(f"/proxy/{verbatim}/" in file.path for verbatim in ("lualib", "web"))
    }
    files[LISTING] = "".join(f"{line}\n" for line in _listing(tree)).encode()
    return files


def schema_files() -> dict[str, bytes]:
    """Return path in the repository → text of every schema that is made from code."""
    schemas = {
        "profile": json_schema(ProfileShape, "trtllm-install profile"),
        "site": json_schema(SiteShape, "trtllm-install site file"),
        "advisories": json_schema(AdvisoriesShape, "trtllm-install advisories"),
    }
    return {f"configs/schema/{name}.schema.json": _json(text) for name, text in schemas.items()}


def write(golden: Path = GOLDEN, repository: Path = REPOSITORY) -> None:
    """Write every golden file and schema, and remove golden files that are none any more."""
    for supervisor in VARIANTS:
        folder = golden / supervisor
        shutil.rmtree(folder, ignore_errors=True)
        for path, content in golden_files(supervisor).items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
    for path, content in schema_files().items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_bytes(content)


def _listing(tree: Desired) -> list[str]:
    """One line a path: kind, mode, owner, and where a link points."""
    return [
        *(f"user            {account.name} {account.home}" for account in tree.accounts),
        *(f"folder {d.mode:04o} {d.owner:<7} {d.path}" for d in tree.directories),
        *(f"file   {f.mode:04o} {f.owner:<7} {f.path}" for f in tree.files),
        *(f"link                {link.path} -> {link.target}" for link in tree.links),
    ]


def _without_generation(content: bytes) -> bytes:
    """The generation changes with every byte of the lualib, which is not here."""
    return re.sub(rb'(generation = ")[0-9a-f]+', rb"\g<1>0", content)


def _json(document: dict[str, object]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


if __name__ == "__main__":
    write()
