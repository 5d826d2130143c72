"""What a plan cannot say because the caller may not look: unknown is told, and not guessed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from trtllm_install.model.desired import Desired
from trtllm_install.model.tree import Plan, ServiceAction, Tree
from trtllm_install.plan.files import NEW_SUFFIX

_OF_INPUTS = {ServiceAction.RESTART, ServiceAction.RELOAD}


def without_hidden(plan: Plan, desired: Desired, tree: Tree) -> Plan:
    """Return the plan without what depends on hidden paths, and with what is so left open."""
    if not tree.hidden:
        return plan
    open_services = [s.name for s in desired.services if _reads(s.inputs, tree)]
    open_services += [s.name for s in desired.services if _reads(s.reload_inputs, tree)]
    return replace(
        plan,
        changes=tuple(
            c for c in plan.changes if c.path.removesuffix(NEW_SUFFIX) not in tree.hidden
        ),
        services=tuple(
            s for s in plan.services if s.name not in open_services or s.action not in _OF_INPUTS
        ),
        unknown=tuple(_told(tree, open_services)),
    )


def _reads(inputs: Sequence[str], tree: Tree) -> bool:
    return any(path in tree.hidden for path in inputs)


def _told(tree: Tree, services: Sequence[str]) -> Iterator[str]:
    for path, reason in sorted(tree.hidden.items()):
        yield f"whether {path} changes: {reason}"
    for name in dict.fromkeys(services):
        yield f"whether {name} begins anew: it reads what is hidden"
