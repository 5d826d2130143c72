"""A bundle: everything that a host without a network needs, and the list of it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Final, cast

FORMAT: Final = "trtllm-install bundle"
SCHEMA: Final = 1
MANIFEST: Final = "manifest.json"
WHEELS: Final = "wheels"
ENGINE_WHEELS: Final = "engine"
PACKAGES: Final = "packages"
# Far beyond any wheel, and what a tar header says in plain digits.
LARGEST_FILE: Final = 8 * 2**30 - 1
_LONGEST_PATH: Final = 200
_PART: Final = re.compile(r"[0-9A-Za-z_][0-9A-Za-z._+~%!@-]*")
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class ManifestRefused(ValueError):
    """A manifest is not one that this tool writes; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BundleFile:
    """One file of a bundle."""

    path: str
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the wheels of a bundle were chosen for, or what a host is."""

    machine: str  # for example "x86_64"
    glibc: tuple[int, int]  # the oldest that will do
    python: str  # for example "3.11"

    def __str__(self) -> str:
        """Return it the way a person reads it."""
        return f"{self.machine}, glibc {self.glibc[0]}.{self.glibc[1]}, Python {self.python}"

    @property
    def platforms(self) -> tuple[str, ...]:
        """Return the platform tags of wheels that run there, newest first."""
        major, minor = self.glibc
        old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
        tags: list[str] = []
        for number in range(minor, 4, -1):
            tags.append(f"manylinux_{major}_{number}_{self.machine}")
            tags += [f"{old[number]}_{self.machine}"] if number in old else []
        return (*tags, f"linux_{self.machine}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledEngine:
    """The engine of a bundle; its wheels are for a Python of their own."""

    version: str
    python: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The list of a bundle, which is also what its archive is checked against, byte by byte."""

    tool: str  # version
    created: int  # Unix time; SOURCE_DATE_EPOCH where it was set
    target: Target
    engine: BundledEngine | None
    files: tuple[BundleFile, ...]  # by path; the manifest itself is not among them

    def encode(self) -> bytes:
        """Return the one form in which it is written; the same manifest, the same bytes."""
        body = {
            "format": FORMAT,
            "schema": SCHEMA,
            "created_by": f"trtllm-install {self.tool}",
            **asdict(self),
        }
        body["digest"] = _digest(body)
        return _text(body)


def parse_manifest(raw: bytes) -> Manifest:
    """Return the manifest; raises ManifestRefused for anything but what ``encode`` writes.

    Paths are relative, plain and unique, so that no file can land outside of a folder.
    """
    try:
        body = json.loads(raw)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ManifestRefused("it is not of a bundle")
        if body.get("schema") != SCHEMA:
            raise ManifestRefused(f"schema {body.get('schema')}, this tool knows {SCHEMA}")
        manifest = _manifest(body)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ManifestRefused):
            raise
        raise ManifestRefused(f"it cannot be read: {error!r}") from error
    _refuse_paths(manifest.files)
    if manifest.encode() != raw:
        raise ManifestRefused("it was changed: its own digest does not fit")
    return manifest


def clean_path_problem(path: str) -> str:
    """Say why a path may not be in a bundle, empty when it may."""
    if path.startswith("/"):
        return "an absolute path"
    if ".." in path.split("/"):
        return "a path that leads out of the bundle"
    if len(path) > _LONGEST_PATH:
        return "a path that is too long"
    if not all(_PART.fullmatch(part) for part in path.split("/")):
        return "a path that is not plain"
    return ""


def _refuse_paths(files: Sequence[BundleFile]) -> None:
    for file in files:
        if problem := clean_path_problem(file.path):
            raise ManifestRefused(f"it names {file.path!r}, {problem}")
        if not _HASH.fullmatch(file.sha256) or not 0 <= file.size <= LARGEST_FILE:
            raise ManifestRefused(f"it gives {file.path} an impossible size or hash")
    paths = [file.path for file in files]
    if paths != sorted(set(paths)) or MANIFEST in paths:
        raise ManifestRefused("its files are not in order, or one is named twice")


def _manifest(body: Mapping[str, object]) -> Manifest:
    target = cast("Mapping[str, object]", body["target"])
    engine = cast("Mapping[str, object] | None", body["engine"])
    major, minor = cast("Sequence[int]", target["glibc"])
    files = cast("Sequence[Mapping[str, object]]", body["files"])
    return Manifest(
        tool=str(body["tool"]),
        created=int(str(body["created"])),
        target=Target(
            machine=str(target["machine"]),
            glibc=(int(major), int(minor)),
            python=str(target["python"]),
        ),
        engine=None
        if engine is None
        else BundledEngine(version=str(engine["version"]), python=str(engine["python"])),
        files=tuple(
            BundleFile(path=str(f["path"]), size=int(str(f["size"])), sha256=str(f["sha256"]))
            for f in files
        ),
    )


def _digest(body: Mapping[str, object]) -> str:
    return sha256(_text(body)).hexdigest()


def _text(body: Mapping[str, object]) -> bytes:
    return (json.dumps(body, indent=1, sort_keys=True) + "\n").encode()
