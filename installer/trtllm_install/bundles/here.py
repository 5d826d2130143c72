"""What this host is, as far as wheels care."""

import platform
import sys

from trtllm_install.model.bundle import Target
from trtllm_install.model.errors import ConfigError


def target_here() -> Target:
    """Return this host and the Python that runs; raises ConfigError where there is no glibc."""
    name, version = platform.libc_ver()
    major, _, minor = version.partition(".")
    if name != "glibc" or not (major.isdecimal() and minor.isdecimal()):
        raise ConfigError(
            f"cannot use wheels here: the C library is {name or 'unknown'}, not glibc",
            hint="use a distribution with glibc",
        )
    return Target(
        machine=platform.machine(),
        glibc=(int(major), int(minor)),
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
    )
