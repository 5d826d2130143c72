"""What stands where ours has to be and is neither ours nor an edit: it is never followed."""

from collections.abc import Iterator

from trtllm_install.model import layout
from trtllm_install.model.desired import Desired
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Seen, Tree


def refuse_obstacles(
    desired: Desired, tree: Tree, receipt: Receipt | None, *, replaces: bool = False
) -> None:
    """Raise ConfigError when a folder of ours is a link or a file, or a file of ours a folder.

    A link where a configuration file of ours has to be is somebody's edit as well: it leads
    to their own, or masks a unit. With ``replaces`` ours takes its place.
    """
    found = list(_obstacles(desired, tree, receipt, replaces=replaces))
    if not found:
        return
    paths = [path for path, _ in found]
    raise ConfigError(
        "cannot go on: " + "; ".join(text for _, text in found),
        hint=f"move it away: sudo mv {paths[0]} {paths[0]}.aside; "
        "a folder that shall lie elsewhere can be mounted there: mount --bind",
    )


def _obstacles(
    desired: Desired, tree: Tree, receipt: Receipt | None, *, replaces: bool
) -> Iterator[tuple[str, str]]:
    folders = {d.path for d in desired.directories} | set(receipt.directories if receipt else ())
    for path in sorted(folders):
        there = tree.paths.get(path)
        if there and there.kind != "directory":
            yield path, f"{path} is {_what(there)}; expected a folder"
    ours = {f.path: "file" for f in desired.files} | {link.path: "link" for link in desired.links}
    for path, kind in sorted(ours.items()):
        there = tree.paths.get(path)
        linked = kind == "file" and layout.is_configuration(path) and not replaces
        if there and (there.kind in {"directory", "other"} or (linked and there.kind == "link")):
            yield path, f"{path} is {_what(there)}; expected a {kind}"


def _what(there: Seen) -> str:
    if there.kind == "link":
        return f"a link to {there.target}"
    return {"directory": "a folder", "file": "a file"}.get(there.kind, "a socket or device")
