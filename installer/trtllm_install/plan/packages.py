"""Packages of the distribution as changes of a plan."""

from collections.abc import Iterator

from trtllm_install.model.facts import PackageFacts
from trtllm_install.model.tree import Action, Change


def plan_packages(packages: PackageFacts | None) -> Iterator[Change]:
    """Yield every package that would be brought, those that others need among them."""
    if packages is None or not packages.can_bring:
        return
    if not packages.lists_read:
        for name in packages.wanted:
            yield _brought(name, "", "with what it needs, once the package lists are read")
        return
    for package in packages.brings:
        asked = package.name in packages.wanted
        yield _brought(package.name, package.version, "new" if asked else "one of these needs it")


def _brought(name: str, version: str, reason: str) -> Change:
    return Change(action=Action.CREATE, kind="package", path=name, reason=reason, target=version)
