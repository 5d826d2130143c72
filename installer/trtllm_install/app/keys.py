"""Keys of clients come and go; the proxy is reloaded, and loses no request by it."""

import secrets
from typing import Final

from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.prove import PROXY
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.config.nearest import nearest
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import Key, hash_key
from trtllm_install.model.errors import ConfigError, NeedsRoot
from trtllm_install.model.tree import ServiceAction, ServiceChange
from trtllm_install.proxy.keys import await_keys, read_keys, write_keys

_PREFIX: Final = "sk-trtllm-"
RELOAD: Final = ServiceChange(action=ServiceAction.RELOAD, name=PROXY, reason="other keys")
_BYTES: Final = 32  # so many random ones that SHA-256 alone keeps the key


def list_keys(host: Host, reporter: Reporter) -> tuple[Key, ...] | None:
    """Return the keys, None where nobody is asked for one. Raises as ``add_key`` does."""
    demand_root(host, "list")
    demand_proxy(host, reporter)
    return read_keys(host)


def add_key(host: Host, name: str, reporter: Reporter) -> str:
    """Make a key of this name and return it once the proxy takes it; it is kept nowhere.

    With the first key the proxy begins to ask for one. Raises NeedsRoot, Locked,
    ConfigError for a name that is taken or where no proxy is installed, and GateFailed
    when the running proxy does not follow: the key is written then.
    """
    key = _PREFIX + secrets.token_urlsafe(_BYTES)
    made = hash_key(name, key)
    demand_root(host, f"add {name}")
    with host.lock(layout.LOCK):
        demand_proxy(host, reporter)
        keys = read_keys(host) or ()
        if any(old.name == name for old in keys):
            raise ConfigError(
                f"cannot add key {name}: there is one of this name",
                hint=f"sudo trtllm-install keys remove {name}",
            )
        _put_in_force(host, (*keys, made), reporter)
    return key


def remove_key(host: Host, name: str, reporter: Reporter) -> tuple[Key, ...]:
    """Refuse a key from now on and return those that are left; raises as ``add_key`` does.

    Running requests go on. Without the last key nobody is let in.
    """
    demand_root(host, f"remove {name}")
    with host.lock(layout.LOCK):
        demand_proxy(host, reporter)
        keys = read_keys(host) or ()
        left = tuple(key for key in keys if key.name != name)
        if len(left) == len(keys):
            raise ConfigError(
                f"cannot find key {name}: {nearest(name, [key.name for key in keys])}",
                hint="sudo trtllm-install keys list",
            )
        _put_in_force(host, left, reporter)
    return left


def _put_in_force(host: Host, keys: tuple[Key, ...], reporter: Reporter) -> None:
    write_keys(host, keys)
    supervisor = supervisor_called(installed_receipt(host).supervisor, host)
    if PROXY not in supervisor.running((PROXY,)):
        reporter.note("the proxy does not run; it reads the keys when it starts")
        return
    supervisor.carry_out(RELOAD)
    reporter.service(RELOAD)
    await_keys(host, keys)


def demand_root(host: Host, words: str) -> None:
    """Raise NeedsRoot with the command line that has it."""
    if not host.is_root():
        raise NeedsRoot("cannot read the keys: not root", hint=f"sudo trtllm-install keys {words}")


def demand_proxy(host: Host, reporter: Reporter) -> None:
    """Raise ConfigError where no proxy is installed that could ask for keys."""
    receipt = installed_receipt(host)
    reporter.profile(receipt.profile)
    if PROXY not in receipt.order:
        raise ConfigError(
            f"cannot ask for keys: profile {receipt.profile} has no proxy",
            hint="sudo trtllm-install --profile multi",
        )
