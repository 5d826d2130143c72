"""Builds an engine: a virtual environment with TensorRT-LLM, complete or not there at all."""

import secrets
from dataclasses import dataclass

from trtllm_install.engines.steps import Progress, Steps, passed_environment
from trtllm_install.host.protocol import Host
from trtllm_install.model.engine import Recipe

LOCK_NAME = "requirements.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where wheels come from."""

    folder: str = ""  # of wheels; then no network is used
    locked: bool = False  # the folder holds requirements.txt with a hash for every wheel
    index: str = ""  # in addition to pip's own settings; wins over the recipe's


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a build may write; both on one file system."""

    builds: str
    cache: str


def build_engine(
    host: Host, recipe: Recipe, source: Source, *, python: str, places: Places, progress: Progress
) -> str:
    """Return the folder of a new engine, which nothing shows yet.

    It lies under a name of its own that it keeps, because scripts of a virtual
    environment carry its path. Raises ApplyFailed, and nothing is left of it but what
    was downloaded, which the next build takes up. A build that was killed is cleared by
    ``clear_leftovers``.
    """
    home = f"{places.builds}/{recipe.version}-{secrets.token_hex(4)}"
    # What pip unpacks must not fill a small temporary file system.
    unpacking = f"{home}/unpacking"
    steps = Steps(
        host=host,
        recipe=recipe,
        folder=places.builds,
        progress=progress,
        environment={
            **passed_environment(host, network=not source.folder),
            "TMPDIR": unpacking,
            "PIP_CACHE_DIR": places.cache,
        },
    )
    try:
        # pip comes in a step of its own: what it says when it fails, venv would swallow.
        steps.run("virtual environment", [python, "-m", "venv", "--without-pip", home])
        host.make_directory(unpacking, mode=0o700, owner="root")
        steps.run("pip", [f"{home}/bin/python", "-m", "ensurepip", "--default-pip"])
        _install(host, recipe, source, home, steps)
    except BaseException:
        if host.look(home):
            host.remove_tree(home)
        raise
    for folder in (places.cache, unpacking):
        if host.look(folder):
            host.remove_tree(folder)
    return home


def _install(host: Host, recipe: Recipe, source: Source, home: str, steps: Steps) -> None:
    pip = [
        *(f"{home}/bin/python", "-m", "pip", "install", "--no-input", "--progress-bar=off"),
        "--disable-pip-version-check",
        *(("--no-index", "--find-links", source.folder) if source.folder else ()),
    ]
    if source.locked:
        lock = f"{source.folder}/{LOCK_NAME}"
        steps.run(f"{recipe.requirement} by its lock", [*pip, "--require-hashes", "-r", lock])
        return
    constraint = f"{home}/constraint.txt"
    host.write(constraint, f"{recipe.torch_pin}\n".encode(), mode=0o644, owner="root")
    index = source.index or ("" if source.folder else recipe.torch_index)
    more = ("--extra-index-url", index) if index else ()
    # torch first, alone: a build of another CUDA must not come in as somebody's dependency.
    steps.run(recipe.torch_pin, [*pip, *more, recipe.torch_pin, *recipe.beside_torch])
    steps.run(recipe.requirement, [*pip, *more, "--constraint", constraint, recipe.requirement])
