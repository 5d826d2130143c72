"""The bill of materials of a bundle, as CycloneDX 1.5 JSON.

The document is a flat list of files that we have hashed ourselves, so it is written by
hand: the library for it would bring half a dozen packages onto every host for one
``json.dumps``. What a package contains inside is not claimed.
"""

import json
from collections.abc import Sequence

from trtllm_install.model.bundle import BundleFile

_SPEC = "1.5"


def render_sbom(tool: str, created: str, files: Sequence[BundleFile]) -> str:
    """Return the document; ``created`` is UTC, ISO 8601. Names are read from file names."""
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "version": 1,
        "metadata": {
            "timestamp": created,
            "component": {"type": "application", "name": "trtllm-install", "version": tool},
        },
        "components": [_component(file) for file in files],
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _component(file: BundleFile) -> dict[str, object]:
    name = file.path.rpartition("/")[2]
    component: dict[str, object] = {
        "type": "file",
        "name": name,
        "bom-ref": file.path,
        "hashes": [{"alg": "SHA-256", "content": file.sha256}],
    }
    if name.endswith(".whl"):
        package, version = name.split("-")[:2]
        plain = package.replace("_", "-").lower()
        purl = f"pkg:pypi/{plain}@{version.replace('+', '%2B')}"
        component |= {"type": "library", "name": plain, "version": version, "purl": purl}
    elif name.endswith(".deb") and name.count("_") == 2:  # noqa: PLR2004 (name_version_arch.deb)
        package, version, arch = name.removesuffix(".deb").split("_")
        version = version.replace("%3a", ":")
        purl = f"pkg:deb/debian/{package}@{version.replace(':', '%3A').replace('+', '%2B')}"
        component |= {
            "type": "library",
            "name": package,
            "version": version,
            "purl": f"{purl}?arch={arch}",
        }
    return component
