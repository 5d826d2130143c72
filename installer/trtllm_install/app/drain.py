"""Takes backends out of the proxy's rotation and puts them back; nothing on disk changes."""

from dataclasses import dataclass

from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.reporter import Reporter
from trtllm_install.config.nearest import nearest
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError, GateFailed, HostError, NeedsRoot
from trtllm_install.proxy.backends import Backend, read_backends, tell_backend

_PAUSE_S = 0.1
_LISTED = "trtllm-install drain --list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """How a drain, or taking one back, ended."""

    backends: tuple[Backend, ...]  # the named ones
    changed: tuple[str, ...]  # those that were not so before


def list_backends(host: Host, reporter: Reporter) -> tuple[Backend, ...]:
    """Return the backends of the proxy on this host; raises as ``set_draining`` does."""
    if not host.is_root():
        raise NeedsRoot("cannot ask the proxy: not root", hint=f"sudo {_LISTED}")
    reporter.profile(installed_receipt(host).profile)
    return _read(host)


def _read(host: Host) -> tuple[Backend, ...]:
    try:
        return read_backends(host)
    except HostError as error:
        raise GateFailed(
            f"cannot reach the proxy of this host: {error.message}", hint="trtllm-install status"
        ) from error


def set_draining(
    host: Host, names: tuple[str, ...], reporter: Reporter, *, draining: bool, timeout_s: float
) -> Drained:
    """Drain backends and return once none of them has a request; or undrain, once all serve.

    Raises NeedsRoot; ConfigError where nothing is installed or for a name that the proxy
    does not have, with nothing told; GateFailed when no proxy answers or the time is
    over. What was told then holds.
    """
    before = list_backends(host, reporter)
    for name in names:
        if not any(backend.is_called(name) for backend in before):
            known = {b.name for b in before} | {b.peer for b in before if b.peer}
            raise ConfigError(
                f"cannot find backend {name}: {nearest(name, sorted(known))}", hint=_LISTED
            )
    changed = tuple(
        name for name in names if any(b.is_called(name) and b.draining != draining for b in before)
    )
    for name in changed:
        tell_backend(host, name, draining=draining)
        reporter.note(f"{name} gets {'no new' if draining else 'new'} requests")
    return Drained(
        backends=_await_settled(host, names, draining=draining, timeout_s=timeout_s),
        changed=changed,
    )


def _await_settled(
    host: Host, names: tuple[str, ...], *, draining: bool, timeout_s: float
) -> tuple[Backend, ...]:
    deadline = host.monotonic() + timeout_s
    while True:
        chosen = tuple(b for b in _read(host) if any(map(b.is_called, names)))
        unsettled = [b for b in chosen if _is_unsettled(b, draining=draining)]
        if not unsettled:
            return chosen
        if host.monotonic() >= deadline:
            verb = "drain" if draining else "undrain"
            raise GateFailed(
                f"cannot {verb} {unsettled[0].name}: after {timeout_s:g} s "
                f"it has {unsettled[0].in_flight} requests and is {unsettled[0].state}",
                hint=_LISTED,
            )
        host.pause(_PAUSE_S)


def _is_unsettled(backend: Backend, *, draining: bool) -> bool:
    if draining:
        return not backend.draining or backend.in_flight > 0
    return backend.draining or not backend.serving
