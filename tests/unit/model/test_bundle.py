"""The manifest of a bundle is what it was written as, or nothing."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtllm_install.model.bundle import (
    BundledEngine,
    BundleFile,
    Manifest,
    ManifestRefused,
    Target,
    parse_manifest,
)

HASH = "0" * 64
TARGET = Target(machine="x86_64", glibc=(2, 36), python="3.11")


def manifest(*paths: str, engine: BundledEngine | None = None) -> Manifest:
    files = tuple(BundleFile(path=path, size=1, sha256=HASH) for path in paths)
    return Manifest(tool="0.1.0", created=7, target=TARGET, engine=engine, files=files)


PARTS = st.text("abcXYZ019_", min_size=1, max_size=2)
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


@settings(max_examples=8)
@given(st.sets(PATHS, max_size=3), st.sampled_from([None, ("1.3.0rc2", "3.12")]))
def test_what_is_written_is_what_is_read(paths: set[str], engine: tuple[str, str] | None) -> None:
    bundled = engine and BundledEngine(version=engine[0], python=engine[1])
    written = manifest(*sorted(paths - {"manifest.json"}), engine=bundled or None)
    assert parse_manifest(written.encode()) == written


@settings(max_examples=8)
@given(st.data())
def test_no_byte_of_it_can_be_another(data: st.DataObject) -> None:
    raw = bytearray(manifest("a", "wheels/b-1-py3-none-any.whl").encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ManifestRefused):
        parse_manifest(bytes(raw))


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "a/../../x", "a//b", "", ".", "a/", "-rf", ".hidden", "a\nb", "a\\b"],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ManifestRefused, match="it names"):
        parse_manifest(manifest(path).encode())


def test_files_are_in_order_and_named_once() -> None:
    for paths in (("b", "a"), ("a", "a"), ("manifest.json",)):
        with pytest.raises(ManifestRefused, match="in order"):
            parse_manifest(manifest(*paths).encode())


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"[]", "not of a bundle"),
        (b"{", "cannot be read"),
        (b'{"format": "trtllm-install bundle", "schema": 2}', "schema 2"),
        (b'{"format": "trtllm-install bundle", "schema": 1}', "cannot be read"),
        (b"\xff", "cannot be read"),
    ],
)
def test_what_is_no_manifest_is_told_as_such(raw: bytes, says: str) -> None:
    with pytest.raises(ManifestRefused, match=says):
        parse_manifest(raw)


def test_a_size_or_hash_that_cannot_be_is_refused() -> None:
    for change in ({"size": 2**40}, {"size": -1}, {"sha256": "x"}):
        body = json.loads(manifest("a").encode())
        body["files"][0] |= change
        with pytest.raises(ManifestRefused, match="impossible"):
            parse_manifest(json.dumps(body).encode())


def test_platforms_are_every_older_one_and_plain_linux() -> None:
    tags = TARGET.platforms
    assert tags[0] == "manylinux_2_36_x86_64"
    assert tags[-1] == "linux_x86_64"
    assert {"manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux1_x86_64"} <= set(tags)
    assert "manylinux_2_37_x86_64" not in tags
