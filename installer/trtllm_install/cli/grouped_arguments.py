"""Options of the verbs that come in groups, and those that they share with others."""

import argparse

from trtllm_install.cli.values import parse_seconds


def add_accept(verb: argparse.ArgumentParser) -> None:
    """Add ``--accept``."""
    verb.add_argument(
        "--accept", metavar="CODE", action="append", default=[], help="make a finding a warning"
    )


def add_pin(verb: argparse.ArgumentParser) -> None:
    """Add ``--bundle-sha256``."""
    verb.add_argument("--bundle-sha256", metavar="HASH", help="what bundle create printed")


def add_timeout(verb: argparse.ArgumentParser) -> None:
    """Add ``--timeout``."""
    verb.add_argument(
        "--timeout",
        type=parse_seconds,
        default=3600.0,
        metavar="S",
        help="longest wait (default: 3600)",
    )


def add_engine_options(name: str, verb: argparse.ArgumentParser) -> None:
    """Add the options of ``engine add`` and its like."""
    if name != "engine list":
        verb.add_argument("name", metavar="VERSION")
    match name:
        case "engine add":
            source = verb.add_mutually_exclusive_group()
            source.add_argument(
                "--from", dest="source", metavar="PATH", help="wheels or bundle; no network"
            )
            source.add_argument("--path", metavar="DIR", help="adopt a virtual environment")
            source.add_argument("--index", metavar="URL", help="PyTorch's index for this CUDA")
            verb.add_argument("--python", metavar="FILE", help="the Python to build with")
            add_accept(verb)
        case "engine use":
            verb.add_argument("--site", metavar="FILE", help="default: /etc/trtllm/site.yaml")
            add_accept(verb)
            add_timeout(verb)
        case "engine remove":
            verb.add_argument("--yes", action="store_true", help="do not ask")


def add_bundle_options(name: str, verb: argparse.ArgumentParser) -> None:
    """Add the options of the ``bundle`` verbs."""
    verb.add_argument("file", metavar="FILE")
    if name == "bundle create":
        verb.add_argument("--platform", metavar="TAG", help="manylinux_X_Y_MACHINE of the host")
        verb.add_argument("--python", metavar="X.Y", help="Python that the tool will run on")
        verb.add_argument("--engine", metavar="VERSION", help="bring the wheels of an engine")
        verb.add_argument("--engine-python", metavar="X.Y", help="Python of that engine")
        verb.add_argument("--index", metavar="URL", help="PyTorch's index for this CUDA")
        verb.add_argument("--packages", metavar="DIR", help="bring the .deb files of a folder")
        return
    if name == "bundle unpack":
        verb.add_argument("folder", metavar="DIR")
    verb.add_argument("--here", action="store_true", help="refuse one that is not for this host")
    add_pin(verb)


def add_drain_options(name: str, verb: argparse.ArgumentParser) -> None:
    """Add the options of ``drain`` and ``undrain``."""
    verb.add_argument("backends", nargs="*", metavar="BACKEND")
    add_timeout(verb)
    if name == "drain":
        verb.add_argument("--list", action="store_true", help="show the backends and exit")
