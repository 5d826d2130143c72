"""A host with everything installed, without paying for the install each time."""

from functools import cache

from fakes.fake_systemd import FakeSystemd, debian
from fakes.heard import Heard
from trtllm_install.app.install import install
from trtllm_install.app.options import Options

MULTI = Options(profile="multi", simulate=True)


def installed() -> FakeSystemd:
    """Return a host of the caller's own, as ``install --profile multi --simulate`` left it."""
    return twin(_once())


def twin(systemd: FakeSystemd) -> FakeSystemd:
    """Return another machine in the same state; nothing may be due later on the first."""
    old = systemd.host
    assert not old._later
    other = FakeSystemd(debian())
    new = other.host
    new.nodes = dict(old.nodes)  # a change replaces a node and never alters it
    new.accounts, new.now = dict(old.accounts), old.now
    new._taken, new._attempts = set(old._taken), old._attempts
    other.pids, other.ends = dict(systemd.pids), dict(systemd.ends)
    other.begun, other.opened = dict(systemd.begun), set(systemd.opened)
    other.enabled = systemd.enabled
    other.served_generation, other._next_pid = systemd.served_generation, systemd._next_pid
    return other


@cache
def _once() -> FakeSystemd:
    systemd = FakeSystemd(debian())
    install(systemd.host, MULTI, Heard())
    return systemd
