"""Hashes on disk: those of a run that was cut off, and the manifest."""

import json
from collections.abc import Mapping

from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError

_SCHEMA = 1
_LIMIT = 32_000_000  # bytes


def hashes_path(host: Host) -> str:
    """Return where hashes are kept: root's state, or the user's own (XDG base directories)."""
    return _place(host, layout.WEIGHTS_HASHES)


def manifest_path(host: Host) -> str:
    """Return where a manifest is written that was given no name."""
    return _place(host, layout.WEIGHTS_MANIFEST)


def _place(host: Host, path: str) -> str:
    if host.is_root():
        return path
    home = host.environment("HOME") or "/tmp"  # noqa: S108 (only without a home)
    state = host.environment("XDG_STATE_HOME") or f"{home}/.local/state"
    return path.replace(layout.STATE, f"{state}/trtllm", 1)


def read_hashes(host: Host) -> dict[str, dict[str, str]]:
    """Return file identity → algorithm → hash; nothing where the file is absent or damaged."""
    try:
        kept = json.loads(host.read(hashes_path(host), limit=_LIMIT) or b"{}")
        files = kept.get("files", {}) if kept.get("schema") == _SCHEMA else {}
        return {
            str(key): {str(a): str(h) for a, h in known.items()} for key, known in files.items()
        }
    except (ValueError, AttributeError):
        return {}


def write_hashes(host: Host, files: Mapping[str, Mapping[str, str]]) -> None:
    """Replace what is kept; nothing to keep is no file."""
    if not files:
        host.remove(hashes_path(host))
        return
    _write(host, hashes_path(host), {"schema": _SCHEMA, "files": files})


def read_manifest(host: Host, path: str) -> dict[str, dict[str, str]]:
    """Return folder → file name → SHA-256; raises ConfigError where that was not recorded."""
    raw = host.read(path, limit=_LIMIT)
    hint = "trtllm-install check --deep --record"
    if raw is None:
        raise ConfigError(f"cannot compare with {path}: no such file", hint=hint)
    try:
        manifest = json.loads(raw)
        if manifest["schema"] != _SCHEMA:
            raise ConfigError(f"cannot compare with {path}: written by another version", hint=hint)
        return {
            str(folder): {str(name): str(sha256) for name, sha256 in files.items()}
            for folder, files in manifest["folders"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"cannot compare with {path}: {error!r}", hint=hint) from error


def write_manifest(host: Host, path: str, folders: Mapping[str, Mapping[str, str]]) -> None:
    """Write the hashes of every folder down."""
    _write(host, path, {"schema": _SCHEMA, "folders": folders})


def _write(host: Host, path: str, document: Mapping[str, object]) -> None:
    missing, folder = [], path.rpartition("/")[0]
    while folder and host.look(folder) is None:
        missing.append(folder)
        folder = folder.rpartition("/")[0]
    for each in reversed(missing):
        host.make_directory(each, mode=0o755, owner="root")
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    host.write(path, text.encode(), mode=0o644, owner="root")
