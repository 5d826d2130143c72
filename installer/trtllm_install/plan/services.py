"""Which services have to be touched: no process is restarted that need not be."""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from trtllm_install.model import layout
from trtllm_install.model.desired import Desired, Service
from trtllm_install.model.receipt import Receipt
from trtllm_install.model.tree import Change, Fingerprint, ServiceAction, ServiceChange, Tree


def fingerprints(
    desired: Desired, tree: Tree, changes: tuple[Change, ...]
) -> dict[str, Fingerprint]:
    """Return what each service will run with once ``changes`` are made.

    A kept edit counts as it is on disk: editing an engine's YAML and running
    ``install`` again restarts that engine and no other.
    """
    after = {path: seen.content or seen.target.encode() for path, seen in tree.paths.items()}
    for change in changes:
        if change.writes and change.kind in {"file", "link"}:
            after[change.path] = change.content or change.target.encode()

    def digest(service: Service, paths: tuple[str, ...]) -> str:
        total = sha256(f"{service.name}{service.binds}".encode())
        for path in sorted(paths):
            content = after.get(path, b"")
            total.update(f"\0{path}\0{len(content)}\0".encode() + content)
        return total.hexdigest()

    return {
        service.name: Fingerprint(
            restart=digest(service, service.inputs), reload=digest(service, service.reload_inputs)
        )
        for service in desired.services
    }


def plan_services(
    desired: Desired,
    now: Mapping[str, Fingerprint],
    receipt: Receipt | None,
    running: frozenset[str],
) -> tuple[ServiceChange, ...]:
    """Return what has to be stopped, started, restarted or reloaded, in start order."""
    before = receipt.services if receipt else {}
    wanted = {service.name for service in desired.services}
    return (
        *(
            ServiceChange(action=ServiceAction.STOP, name=name, reason="no longer in the profile")
            for name in _backwards(running - wanted, receipt)
        ),
        *_touched(desired, now, before, running),
    )


def plan_boot(*, enabled: bool) -> tuple[ServiceChange, ...]:
    """Return what an image needs beside its files: that its boot starts everything."""
    if enabled:
        return ()
    reason = "everything starts when the image is booted"
    return (ServiceChange(action=ServiceAction.ENABLE, name=layout.TARGET, reason=reason),)


def _backwards(names: frozenset[str], receipt: Receipt | None) -> list[str]:
    """What others stand on goes last: the proxy first, then the models."""
    order = receipt.order if receipt else ()
    return sorted(names, key=lambda n: (order.index(n) if n in order else -1, n), reverse=True)


def _touched(
    desired: Desired,
    now: Mapping[str, Fingerprint],
    before: Mapping[str, Fingerprint],
    running: frozenset[str],
) -> Iterator[ServiceChange]:
    for service in desired.services:
        name = service.name
        old = before.get(name)
        if name not in running:
            yield ServiceChange(action=ServiceAction.START, name=name, reason="not running")
        elif old is None or old.restart != now[name].restart:
            reason = "its inputs changed" if old else "runs with something we did not start"
            yield ServiceChange(action=ServiceAction.RESTART, name=name, reason=reason)
        elif old.reload != now[name].reload:
            yield ServiceChange(
                action=ServiceAction.RELOAD, name=name, reason="its configuration changed"
            )
