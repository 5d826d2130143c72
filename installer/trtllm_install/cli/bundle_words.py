"""A bundle as text for people and as values for JSON."""

from collections.abc import Iterator
from hashlib import sha256

from trtllm_install.cli.present import counted, size_words
from trtllm_install.model.bundle import PACKAGES, Manifest


def bundle_lines(path: str, manifest: Manifest) -> Iterator[str]:
    """Yield what a bundle is."""
    size = sum(file.size for file in manifest.files)
    yield f"{path} is whole: {counted(len(manifest.files), 'file')}, {size_words(size)}"
    yield f"  made by trtllm-install {manifest.tool}, for {manifest.target}"
    if manifest.engine:
        yield f"  engine {manifest.engine.version} for Python {manifest.engine.python}"
    if packages := sum(file.path.startswith(f"{PACKAGES}/") for file in manifest.files):
        yield f"  {counted(packages, 'Debian package')}"
    yield f"  sha256 of its manifest: {sha256(manifest.encode()).hexdigest()}"


def bundle_values(path: str, manifest: Manifest) -> dict[str, object]:
    """Return a bundle for JSON."""
    engine, target = manifest.engine, manifest.target
    return {
        "path": path,
        "sha256": sha256(manifest.encode()).hexdigest(),
        "tool": manifest.tool,
        "created": manifest.created,
        "machine": target.machine,
        "glibc": f"{target.glibc[0]}.{target.glibc[1]}",
        "python": target.python,
        "engine": engine.version if engine else None,
        "files": len(manifest.files),
    }
