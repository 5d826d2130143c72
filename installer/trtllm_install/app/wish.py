"""Profile and site file to an installation: parsed, or remembered from the last install."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256

from trtllm_install import resources
from trtllm_install.app.engine_choice import EngineChoice
from trtllm_install.app.options import Options
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.decoding import decode
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.installation import Installation, Instance
from trtllm_install.model.receipt import Receipt
from trtllm_install.probes.profiles import probe_own_profiles
from trtllm_install.probes.weights_folder import calling_home, weights_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was asked for, as far as it does not stand in the files."""

    options: Options
    engine: EngineChoice
    supervisor: str


def parsed(host: Host, wish: Wish, receipt: Receipt | None) -> Installation:
    """Return what the files come to; raises ConfigError with every problem in them."""
    # The library that checks the files is half of a run that changes nothing.
    from trtllm_install.app import profiles  # noqa: PLC0415
    from trtllm_install.config.combine import Choices, combine  # noqa: PLC0415

    options = wish.options
    site = profiles.read_site(host, options.site)
    name = profiles.chosen_profile(options.profile, site, receipt)
    if name is None:
        raise profiles.no_profile(host)
    said_in = "" if options.profile or not site.profile else options.site or layout.SITE_FILE
    profile = profiles.read_profile(host, name, said_in)
    return combine(
        profile,
        site,
        Choices(
            profile=name,
            engine_version=wish.engine.version,
            checked_as=wish.engine.contract,
            weights_dir=_weights_dir(host, options, site.weights_dir, receipt)
            if profile.instances
            else "",
            supervisor=wish.supervisor,
            simulate=options.simulate,
        ),
    )


def remembered(host: Host, wish: Wish, receipt: Receipt | None) -> Installation | None:
    """Return what the last install made of the same wish and the same files, else None."""
    if receipt is None or not receipt.wish:
        return None
    asked = _asked(host, wish, receipt.profile, receipt.weights_dir, simulated=receipt.simulate)
    if receipt.wish.get("asked") != asked:
        return None
    with suppress(KeyError, TypeError, ValueError):
        return decode(Installation, json.loads(receipt.wish["installation"]))
    return None


def wish_record(host: Host, wish: Wish, installation: Installation) -> Mapping[str, str]:
    """Return what ``remembered`` needs, empty where JSON would not give the same back."""
    with suppress(TypeError, ValueError, KeyError):
        # As text: a record of ours sorts its keys, and those of an engine's YAML have an order.
        record = json.dumps(asdict(installation))
        if decode(Installation, json.loads(record)) == installation:
            weights, simulated = installation.weights_dir, installation.simulate
            asked = _asked(host, wish, installation.profile, weights, simulated=simulated)
            return {"asked": asked, "installation": record}
    return {}


def source_of_arguments(host: Host, options: Options, profile: str, instance: Instance) -> str:
    """Return the file to edit when trtllm-serve would refuse an argument."""
    from trtllm_install.app import profiles  # noqa: PLC0415 (as above)

    here = profiles.read_site(host, options.site).instances.get(instance.name)
    if here and here.arguments is not None:
        return options.site or layout.SITE_FILE
    return profiles.read_profiles(host)[profile]


def _asked(host: Host, wish: Wish, profile: str, weights_dir: str, *, simulated: bool) -> str:
    """Return a hash of all that ``parsed`` depends on; the receipt counts as it will be."""
    options = wish.options
    made_of = (
        resources.identity(),
        *(options.profile, options.site, options.weights_dir, options.simulate),
        *(wish.engine.version, wish.engine.contract, wish.supervisor),
        *(profile, weights_dir, simulated, calling_home(host)),
        host.read(options.site or layout.SITE_FILE),
        {path: host.read(path) for path in probe_own_profiles(host)},
    )
    return sha256(repr(made_of).encode()).hexdigest()


def _weights_dir(host: Host, options: Options, site: str | None, receipt: Receipt | None) -> str:
    """A second run without the option means the folder of the first.

    ``--simulate`` is said anew on each run, so one without it means real weights.
    """
    if options.simulate and not options.weights_dir and not site:
        return layout.SIMULATED_WEIGHTS
    was_simulated = receipt is not None and receipt.simulate
    installed = receipt.weights_dir if receipt and not was_simulated else None
    try:
        return weights_folder(host, options.weights_dir, site or installed)
    except ConfigError as error:
        if not was_simulated or options.simulate or options.weights_dir or site:
            raise
        hint = f"--simulate, as this host was installed; or for real models {error.hint}"
        raise ConfigError(error.message, hint=hint) from error
