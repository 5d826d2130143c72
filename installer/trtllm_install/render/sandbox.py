"""The sandbox of a unit, as properties that another process can be given to try it in."""

import re
from typing import Final

# What a unit does, in contrast to what it forbids; and what only gives back something
# that the sandbox took, in folders that an install has yet to make.
_NOT_SANDBOX: Final = re.compile(
    r"Type|NotifyAccess|PIDFile|Exec.*|KillMode|OOMPolicy|Restart.*|Timeout.*Sec|Watchdog.*"
    r"|(State|Cache|Logs|Runtime|Configuration)Directory.*|WorkingDirectory|ReadWritePaths"
    r"|Standard.*|Syslog.*|RemainAfterExit|LoadCredential.*"
)
# One means nothing without the other, so they are given and left out together.
_FAMILIES: Final = (
    ("DevicePolicy", "DeviceAllow"),
    ("ProtectHome", "BindReadOnlyPaths", "BindPaths"),
    ("SystemCallFilter", "SystemCallErrorNumber"),
    ("User", "Group"),
)
Group = tuple[str, ...]


def sandbox_of(*units: str) -> tuple[Group, ...]:
    """Return the sandbox of a unit and its drop-ins: groups of ``Key=value``, in order.

    Properties that make sense only together are in one group, and so are all values of
    one key: a later one may add to an earlier one, or take it back.
    """
    groups: dict[str, list[str]] = {}
    for unit in units:
        section = ""
        for line in unit.splitlines():
            if line.startswith("["):
                section = line.strip()
            key, equals, value = line.strip().partition("=")
            if section != "[Service]" or not equals or key.startswith(("#", ";")):
                continue
            if not _NOT_SANDBOX.fullmatch(key):
                # %% is the escape of specifiers, which a command line does not have.
                text = f"{key}={value.strip().replace('%%', '%')}"
                groups.setdefault(_family(key), []).append(text)
    return tuple(tuple(group) for group in groups.values())


def _family(key: str) -> str:
    return next((family[0] for family in _FAMILIES if key in family), key)
