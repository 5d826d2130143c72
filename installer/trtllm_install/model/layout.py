"""Every path on the host; minted here and nowhere else."""

from typing import Final

TOOL: Final = "/opt/trtllm/tool"
COMMAND_LINK: Final = "/usr/local/bin/trtllm-install"
ENGINES: Final = "/opt/trtllm/engines"
ENGINE_CURRENT: Final = "/opt/trtllm/engines/current"
ENGINE_BUILDS: Final = "/opt/trtllm/engines/.builds"
ENGINE_RECORDS: Final = "/opt/trtllm/engines/.records"
ENGINE_CACHE: Final = "/opt/trtllm/engines/.cache"
PYTHONS: Final = "/opt/trtllm/python"

OPT: Final = "/opt/trtllm"
ETC: Final = "/etc/trtllm"
SITE_FILE: Final = "/etc/trtllm/site.yaml"
PROFILES: Final = "/etc/trtllm/profiles"
ENGINE_CONFIGS: Final = "/etc/trtllm/engine"
INSTANCES: Final = "/etc/trtllm/instances"
PROXY: Final = "/etc/trtllm/proxy"
PROXY_KEYS: Final = "/etc/trtllm/proxy-keys"
PEER_KEYS: Final = "/etc/trtllm/peer-keys"
TLS_CERTIFICATE: Final = "/etc/trtllm/tls/fullchain.pem"
TLS_KEY: Final = "/etc/trtllm/tls/privkey.pem"
SYSTEM_AUTHORITIES: Final = "/etc/ssl/certs/ca-certificates.crt"  # of Debian and Ubuntu
SUPERVISORD_CONF: Final = "/etc/trtllm/supervisord.conf"

UNITS: Final = "/etc/systemd/system"
TARGET: Final = "trtllm.target"
TMPFILES: Final = "/etc/tmpfiles.d/trtllm.conf"

STATE: Final = "/var/lib/trtllm"
RECEIPT: Final = "/var/lib/trtllm/receipt.json"
JOURNAL: Final = "/var/lib/trtllm/journal"
GENERATIONS: Final = "/var/lib/trtllm/generations"
SIMULATED_WEIGHTS: Final = "/var/lib/trtllm/simulated/model_weights"
WEIGHTS_HASHES: Final = "/var/lib/trtllm/weights-hashes.json"
PACKAGES_LEFT_OUT: Final = "/var/lib/trtllm/packages-left-out.json"
WEIGHTS_MANIFEST: Final = "/var/lib/trtllm/weights-manifest.json"
LOGS: Final = "/var/log/trtllm"
PROXY_ACCESS_LOG: Final = "/var/log/trtllm/proxy-access.log"
LOGROTATE: Final = "/etc/logrotate.d/trtllm"
TOOL_LOGS: Final = "/var/log/trtllm-install"

RUN: Final = "/run/trtllm"
PROXY_ADMIN_SOCKET: Final = "/run/trtllm/proxy-admin.sock"
SUPERVISORD_SOCKET: Final = "/run/trtllm/supervisord.sock"
SUPERVISORD_PID: Final = "/run/trtllm/supervisord.pid"
LOCK: Final = "/run/trtllm-install.lock"  # not below /run/lock, where everybody may write
ENGINES_LOCK: Final = "/run/trtllm-engines.lock"

USER: Final = "trtllm"

# Folders that nobody else has a reason to put elsewhere: below them no link is followed.
OURS: Final = (ETC, OPT, STATE, LOGS, RUN)


def is_configuration(path: str) -> bool:
    """Tell whether an operator's edit or removal of this file is kept (as deb-conffiles(5))."""
    return path.startswith("/etc/")


def engine(version: str) -> str:
    """Path at which an engine is found: a link to the folder that holds it."""
    return f"{ENGINES}/{version}"


def trtllm_serve() -> str:
    """Path of the engine's server program, whichever engine is current."""
    return f"{ENGINE_CURRENT}/bin/trtllm-serve"


def supervise() -> str:
    """Path of the launcher, main process of every unit."""
    return f"{TOOL}/bin/trtllm-supervise"


def launch_spec(name: str) -> str:
    """Path of what the launcher of ``name`` is told to run."""
    return f"{INSTANCES}/{name}.json"


def live_state(name: str) -> str:
    """Path of the live state that the launcher of ``name`` writes."""
    return f"{RUN}/{name}.json"


def instance_state(name: str) -> str:
    """Folder that ``name`` keeps between starts: crash history and caches."""
    return f"{STATE}/{name}"


def engine_cache(name: str, version: str) -> str:
    """Folder of what an engine of this version has compiled and tuned for ``name``."""
    return f"{instance_state(name)}/cache/{version}"


def timeline(name: str) -> str:
    """Path of the last starts of ``name``, written by its launcher."""
    return f"{instance_state(name)}/timeline.json"


def unit(name: str) -> str:
    """Name of the systemd unit of an instance or of the proxy."""
    return f"trtllm-{name}.service"
