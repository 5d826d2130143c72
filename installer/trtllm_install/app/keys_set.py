"""Keys that an operator brings, from a vault say: the files become what was given.

Nothing is kept of a client's key but its hash. It may be done before the first install,
so that a port that is opened to the network never lets everybody in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from trtllm_install.app.keys import RELOAD, demand_proxy, demand_root
from trtllm_install.app.operate import installed_receipt
from trtllm_install.app.prove import PROXY
from trtllm_install.app.reporter import Reporter
from trtllm_install.app.services import supervisor_called
from trtllm_install.apply.changes import apply_change
from trtllm_install.apply.detours import refuse_detour
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import Key
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.tree import Action, Change, ServiceChange
from trtllm_install.plan.keys import KeyChange, plan_keys
from trtllm_install.proxy.keys import (
    CLIENTS,
    KeyFile,
    await_keys,
    is_guarded,
    read_keys,
    serves_keys,
    write_keys,
)
from trtllm_install.receipts.store import read_receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What setting keys does, or would do."""

    keys: tuple[Key, ...]  # all that there are afterwards
    account: tuple[Change, ...] = ()  # the proxy's user, on a host where nothing is installed
    changes: tuple[KeyChange, ...] = ()
    guard: str = ""  # why the file is written although no key differs
    services: tuple[ServiceChange, ...] = ()

    @property
    def writes(self) -> bool:
        """Tell whether the file is written."""
        return bool(self.changes or self.guard)

    @property
    def is_empty(self) -> bool:
        """Tell whether everything is as wanted."""
        return not (self.writes or self.services)


def given_keys(text: str, file: KeyFile) -> tuple[Key, ...]:
    """Return the keys of lines NAME KEY; raises ConfigError that shows no key."""
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, _, key = line.strip().partition(" ")
        if name in {known.name for known in keys}:
            raise ConfigError(
                f"cannot read the keys: line {number} has a name that another line has",
                hint="give each name once",
            )
        keys.append(file.accept(name, key.strip(), f"line {number}"))
    if not keys:
        raise ConfigError(
            "cannot set the keys: none is given on standard input",
            hint="sudo trtllm-install keys remove NAME takes one away",
        )
    return tuple(keys)


def plan_setting(
    host: Host, given: Sequence[Key], file: KeyFile, reporter: Reporter, *, exclusive: str | None
) -> Setting:
    """Return what ``set_keys`` would do; raises as it does, GateFailed and Locked excepted."""
    demand_root(host, "set")
    receipt = read_receipt(host)
    if receipt is not None:
        demand_proxy(host, reporter)
    there = read_keys(host, file)
    planned = plan_keys(there or (), given, exclusive=exclusive)
    if file is CLIENTS:
        _refuse_twins(planned.keys)
    setting = Setting(
        keys=planned.keys,
        account=(account,) if (account := new_account(host)) else (),
        changes=planned.changes,
        guard="" if is_guarded(host, file) else "others could read or change it",
    )
    if receipt is None or not _runs(host, receipt.supervisor):
        return setting
    # A run that ended between the file and the reload left a proxy that does not follow.
    if setting.writes or not serves_keys(host, there, file):
        return replace(setting, services=(RELOAD,))
    return setting


def set_keys(
    host: Host, given: Sequence[Key], file: KeyFile, reporter: Reporter, *, exclusive: str | None
) -> Setting:
    """Make the given keys those of their names, and return once the proxy follows.

    No request is lost by it. Others stay, or go if their names
    begin with ``exclusive``. Raises NeedsRoot, Locked,
    ConfigError with nothing changed, and GateFailed when the running proxy does not follow:
    the file is written then, and the next run reloads the proxy again.
    """
    demand_root(host, "set")
    with host.lock(layout.LOCK):
        setting = plan_setting(host, given, file, reporter, exclusive=exclusive)
        if setting.writes:
            for change in setting.account:
                apply_change(host, change)
            if host.look(layout.ETC) is None:
                host.make_directory(layout.ETC, mode=0o755, owner="root")
            refuse_detour(host, file.path)
            write_keys(host, setting.keys, file)
        for service in setting.services:
            supervisor_called(installed_receipt(host).supervisor, host).carry_out(service)
            reporter.service(service)
            await_keys(host, setting.keys, file)
    return setting


def _runs(host: Host, supervisor: str) -> bool:
    return PROXY in supervisor_called(supervisor, host).running((PROXY,))


def _refuse_twins(keys: Sequence[Key]) -> None:
    """The proxy could not tell who asks."""
    first: dict[str, str] = {}
    for key in keys:
        if twin := first.setdefault(key.sha256, key.name):
            if twin == key.name:
                continue
            raise ConfigError(
                f"cannot tell {twin} from {key.name}: both have the same key",
                hint="openssl rand -hex 32 makes another one",
            )


def new_account(host: Host) -> Change | None:
    """Return the change that makes the proxy's user, None where it is there."""
    if host.account_exists(layout.USER):
        return None
    return Change(
        action=Action.CREATE, kind="account", path=layout.USER, reason="new", target=layout.STATE
    )
