"""The tree that install would write, below any folder, without root."""

from trtllm_install.app.desired import desired_tree, see_tree
from trtllm_install.app.observe import look_at
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Reporter
from trtllm_install.apply.changes import apply_change
from trtllm_install.host.protocol import Host
from trtllm_install.model.desired import Desired
from trtllm_install.model.tree import Change
from trtllm_install.plan.tree import plan_tree


def render(host: Host, image: Host, options: Options, reporter: Reporter) -> tuple[Change, ...]:
    """Write the wanted tree below ``image``'s root and return what was written there.

    Reads the host for what rendering needs (proxy, CUDA) and changes nothing on it.
    Findings do not stop it: it is a way to look. Files belong to the caller.
    """
    judged = look_at(host, options, reporter)
    desired = desired_tree(judged.wanted, judged.facts)
    tree_only = Desired(directories=desired.directories, files=desired.files, links=desired.links)
    changes = plan_tree(tree_only, see_tree(image, tree_only, None), None, "replace")
    reporter.phase("write the tree")
    for change in changes:
        for folder in _missing_parents(image, change.path):
            image.make_directory(folder, mode=0o755, owner="root")
        apply_change(image, change)
        reporter.change(change)
    return changes


def _missing_parents(image: Host, path: str) -> list[str]:
    """Folders of the system, such as /etc/systemd, that an empty tree does not have."""
    parts = path.strip("/").split("/")[:-1]
    folders = ["/" + "/".join(parts[: i + 1]) for i in range(len(parts))]
    return [folder for folder in folders if image.look(folder) is None]
