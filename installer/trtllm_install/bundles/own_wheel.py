"""The wheel of this tool, made again from the tool that is installed."""

import base64
import importlib.metadata
import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError

NAME: Final = "trtllm-install"
_MODULE: Final = "trtllm_install"
# What an installer writes beside a wheel's own files.
_NOT_OF_A_WHEEL: Final = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
# Zip knows no time before 1980; a wheel's times mean nothing.
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def own_wheel(host: Host) -> tuple[str, bytes]:
    """Return name and bytes of the wheel; the same tool gives the same bytes.

    Raises ConfigError for a tool that runs from a checkout: its files are not listed
    anywhere, so that nobody could say whether all of them are there.
    """
    files = _files(host)
    info = next((path.partition("/")[0] for path in files if path.endswith("/WHEEL")), "")
    if f"{_MODULE}/__init__.py" not in files or not info:
        raise ConfigError(
            "cannot make a bundle: this trtllm-install runs from a checkout",
            hint="install it first: sudo scripts/bootstrap.sh --version",
        )
    record = "".join(f"{path},{_hash(raw)},{len(raw)}\n" for path, raw in sorted(files.items()))
    files |= {f"{info}/RECORD": f"{record}{info}/RECORD,,\n".encode()}
    return f"{info.removesuffix('.dist-info')}-py3-none-any.whl", _zip(files)


def own_requirements() -> tuple[str, ...]:
    """Return what this tool needs, as its metadata says; extras left out."""
    stated = importlib.metadata.requires(NAME) or []
    return tuple(line for line in stated if "extra ==" not in line)


def _files(host: Host) -> dict[str, bytes]:
    try:
        distribution = importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, bytes] = {}
    for listed in distribution.files or ():
        path = listed.as_posix()
        ours = path.startswith((f"{_MODULE}/", f"{_MODULE}-"))
        if ours and "__pycache__" not in path and listed.name not in _NOT_OF_A_WHEEL:
            raw = host.read(str(distribution.locate_file(listed)))
            if raw is None:
                raise ConfigError(
                    f"cannot make a bundle: {path} of this tool is gone",
                    hint="install it again: sudo scripts/bootstrap.sh --version",
                )
            found[path] = raw
    return found


def _hash(raw: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(sha256(raw).digest()).rstrip(b"=").decode()


def _zip(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, raw in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, raw)
    return made.getvalue()
