"""Which profile and which site file, from where."""

import posixpath

from trtllm_install import resources
from trtllm_install.config.nearest import near, nearest
from trtllm_install.config.profile import parse_profile, parse_site
from trtllm_install.config.schemas import ProfileShape, SiteShape
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.receipt import Receipt
from trtllm_install.probes.profiles import SUFFIX, probe_own_profiles


def read_profiles(host: Host) -> dict[str, str]:
    """Return name → source of every profile; the operator's win over the shipped ones."""
    shipped = resources.names("configs/profiles", SUFFIX)
    own = probe_own_profiles(host)
    found = {name.removesuffix(SUFFIX): f"configs/profiles/{name}" for name in shipped}
    return found | {posixpath.basename(path).removesuffix(SUFFIX): path for path in own}


def read_site(host: Host, path: str | None) -> SiteShape:
    """Return the site file; without one, a site that changes nothing.

    Raises ConfigError for every problem in it, and when a file that was named is absent.
    """
    source = path or layout.SITE_FILE
    entry = host.look(host.resolve(source))
    if entry and entry.kind == "directory":
        raise ConfigError(f"cannot read {source}: it is a folder", hint=f"ls -l {source}")
    raw = host.read(source)
    if raw is None and path:
        folder = posixpath.dirname(path) or "."
        raise ConfigError(f"cannot read {path}: no such file", hint=f"ls -l {folder}")
    if raw is None:
        return SiteShape.model_construct()
    known = frozenset(i for name in read_profiles(host) for i in _instance_names(host, name))
    return parse_site(_text(raw, source), source, known)


def read_profile(host: Host, name: str, said_in: str = "") -> ProfileShape:
    """Return the profile called ``name``; raises ConfigError that names the ones there are.

    ``said_in`` is the file that says the name, where it is no option.
    """
    profiles = read_profiles(host)
    source = profiles.get(name)
    if source is None:
        option = f"trtllm-install --profile {near(name, list(profiles)) or 'NAME'}"
        raise ConfigError(
            f"cannot find profile {name}: {nearest(name, list(profiles))}",
            hint=f"edit profile in {said_in}, or {option}" if said_in else option,
        )
    if source.startswith("/"):
        return parse_profile(_text(host.read(source) or b"", source), source)
    return parse_profile(resources.read_text(source), source)


def chosen_profile(option: str | None, site: SiteShape, receipt: Receipt | None) -> str | None:
    """Return the profile's name: asked for, written in the site file, or installed already."""
    return option or site.profile or (receipt.profile if receipt else None)


def no_profile(host: Host) -> ConfigError:
    """Return the error for a first run that names no profile."""
    return ConfigError(
        f"cannot choose a profile: none was given; known: {', '.join(sorted(read_profiles(host)))}",
        hint="trtllm-install --profile NAME",
    )


def _instance_names(host: Host, name: str) -> list[str]:
    """Instances of a profile; another profile's mistakes are not this run's to report."""
    try:
        return [instance.name for instance in read_profile(host, name).instances]
    except ConfigError:
        return []


def _text(raw: bytes, source: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"cannot read {source}: not UTF-8 at byte {error.start}", hint=f"file {source}"
        ) from error
