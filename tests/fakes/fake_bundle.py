"""A small bundle, whole, and the same on a fake host."""

from hashlib import sha256
from typing import Final

from fakes.fake_host import FakeHost
from trtllm_install.bundles.archive import archive_parts
from trtllm_install.model.bundle import BundleFile, Manifest, Target

BUNDLE: Final = "/srv/b.tar"
CONTENT: Final = {
    "bootstrap.sh": b"#!/bin/sh\n",
    "wheels/" + "long_" * 22 + "-1-py3-none-any.whl": b"w" * 700,
    "wheels/requirements.txt": b"",
}
MANIFEST: Final = Manifest(
    tool="0.1.0",
    created=1767225600,
    target=Target(machine="x86_64", glibc=(2, 36), python="3.11"),
    engine=None,
    files=tuple(
        BundleFile(path=path, size=len(raw), sha256=sha256(raw).hexdigest())
        for path, raw in sorted(CONTENT.items())
    ),
)
WHOLE: Final = b"".join(archive_parts(MANIFEST, lambda file: [CONTENT[file.path]]))


def offer_bundle(host: FakeHost) -> None:
    """Put the bundle on a host."""
    host.add_file(BUNDLE, WHOLE)
