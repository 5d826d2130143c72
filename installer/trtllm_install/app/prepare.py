"""From the command line and the files to what is wanted on this host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from trtllm_install import resources
from trtllm_install.app.engine_choice import EngineChoice, choose_engine, read_contract
from trtllm_install.app.options import Options
from trtllm_install.app.wish import Wish, parsed, remembered, source_of_arguments, wish_record
from trtllm_install.config.engine import (
    engine_config_problems,
    engine_keys,
    engine_settings,
    override,
    with_pin,
)
from trtllm_install.config.refusal import refused
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.contract import Contract
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.installation import Installation, Instance
from trtllm_install.model.memory import EngineSettings
from trtllm_install.model.problems import Problem
from trtllm_install.model.receipt import Receipt
from trtllm_install.probes.supervisor import runs_systemd
from trtllm_install.render.instance import engine_argv


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An installation, and the engine YAML that it ships or derives (path → text)."""

    installation: Installation
    engine_configs: dict[str, str]
    engine: EngineChoice
    settings: dict[str, EngineSettings] = field(default_factory=dict)  # by instance
    pins: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by instance
    wish: Mapping[str, str] = field(default_factory=dict)  # for the receipt to remember
    # By instance: what the engine is given, its arguments with its YAML over them.
    keys: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def prepare(
    host: Host,
    options: Options,
    receipt: Receipt | None,
    pins: Mapping[str, Mapping[str, float]] | None = None,
) -> Wanted:
    """Return what is wanted; raises ConfigError with every problem of the files it read.

    ``pins`` are the KV caches to set; None = those that the last install of this profile
    remembers.
    """
    engine = choose_engine(host, options, receipt)
    supervisor = _supervisor(host, options, receipt)
    wish = Wish(options=options, engine=engine, supervisor=supervisor)
    installation = remembered(host, wish, receipt) or parsed(host, wish, receipt)
    plain = installation
    if pins is None:
        pins = _remembered_pins(options, installation, receipt)
    installation = _pinned(installation, pins)
    configs = _engine_configs(host, installation)
    _refuse_what_the_engine_refuses(host, options, installation, configs)
    given = {i.name: _given(host, i, configs, engine.contract) for i in installation.instances}
    return Wanted(
        installation=installation,
        engine_configs=configs,
        engine=engine,
        settings={
            i.name: engine_settings(*given[i.name], i.backend) for i in installation.instances
        },
        pins=pins,
        wish=wish_record(host, wish, plain),
        keys={name: engine_keys(*text_and_arguments) for name, text_and_arguments in given.items()},
    )


def _remembered_pins(
    options: Options, installation: Installation, receipt: Receipt | None
) -> Mapping[str, Mapping[str, float]]:
    """Shares of one profile mean nothing in another, nor those of simulated GPUs on real ones."""
    if receipt is None or options.memory == "unpin":
        return {}
    same = (receipt.profile, receipt.simulate) == (installation.profile, installation.simulate)
    return receipt.pins if same else {}


def _pinned(installation: Installation, pins: Mapping[str, Mapping[str, float]]) -> Installation:
    instances = tuple(
        replace(i, engine_overrides=with_pin(i.engine_overrides, pins[i.name]))
        if i.name in pins
        else i
        for i in installation.instances
    )
    return replace(installation, instances=instances)


def _given(
    host: Host, instance: Instance, configs: dict[str, str], version: str
) -> tuple[str | None, Mapping[str, object]]:
    """The YAML and the arguments of an instance, as the engine will read them."""
    arguments = read_contract(version).parse_arguments(engine_argv(instance)[1:])
    text = _effective_config(host, instance, configs) if instance.reads_config else None
    return text, arguments.values


def _effective_config(host: Host, instance: Instance, configs: dict[str, str]) -> str | None:
    """An edited file counts as it is on the host: that is what the engine will read."""
    path = instance.engine_config_path
    if instance.engine_overrides:
        return configs[path]
    return _on_host(host, path) or configs.get(path)


def _supervisor(host: Host, options: Options, receipt: Receipt | None) -> str:
    """An installed whole does not change its supervisor silently."""
    if receipt and options.init not in {"auto", receipt.supervisor}:
        raise ConfigError(
            f"cannot change to {options.init}: this host is installed with {receipt.supervisor}",
            hint="sudo trtllm-install uninstall, then install again",
        )
    if receipt:
        return receipt.supervisor
    if options.init != "auto":
        return options.init
    return "systemd" if runs_systemd(host) else "supervisord"


def _engine_configs(host: Host, installation: Installation) -> dict[str, str]:
    """Shipped engine files that are used, and one derived file per instance the site changes."""
    shipped = resources.names("configs/engine", ".yaml")
    texts: dict[str, str] = {}
    for instance in installation.instances:
        name = instance.engine_config
        base_path = f"{layout.ENGINE_CONFIGS}/{name}" if name else ""
        if name in shipped:
            texts[base_path] = resources.read_text(f"configs/engine/{name}")
        if instance.engine_overrides:
            base = (_on_host(host, base_path) if name else None) or texts.get(base_path, "")
            texts[instance.engine_config_path] = override(
                base, instance.engine_overrides, origin=base_path, instance=instance.name
            )
    return texts


def _refuse_what_the_engine_refuses(
    host: Host, options: Options, installation: Installation, configs: dict[str, str]
) -> None:
    """Raise ConfigError for every argument and YAML key that trtllm-serve would refuse."""
    contract = read_contract(installation.checked_as)
    problems: list[Problem] = []
    for instance in installation.instances:
        if refusals := contract.problems_in_arguments(engine_argv(instance)[1:]):
            source = source_of_arguments(host, options, installation.profile, instance)
            problems += [
                Problem(source=source, line=0, path=instance.name, message=p) for p in refusals
            ]
        problems += (
            _at_its_origin(options, instance, problem)
            for problem in _config_problems(host, instance, configs, contract)
        )
    if problems:
        raise refused(problems)


def _at_its_origin(options: Options, instance: Instance, problem: Problem) -> Problem:
    """A derived file is nobody's to edit: the site file has the key, or the file it comes from."""
    if not instance.engine_overrides:
        return problem
    if _says(instance.engine_overrides, problem.path.split(".")):
        source, path = options.site or layout.SITE_FILE, f"instances.{instance.name}"
        return replace(problem, source=source, line=0, path=f"{path}: {problem.path}")
    if instance.engine_config:
        source = f"{layout.ENGINE_CONFIGS}/{instance.engine_config}"
        return replace(problem, source=source, line=0)
    return problem


def _says(value: object, keys: Sequence[str]) -> bool:
    """Tell whether nested mappings hold these keys."""
    for key in keys:
        if not isinstance(value, Mapping):
            return True
        if key not in value:
            return False
        value = value[key]
    return True


def _config_problems(
    host: Host, instance: Instance, configs: dict[str, str], contract: Contract
) -> tuple[Problem, ...]:
    if not instance.reads_config:
        return ()
    path = instance.engine_config_path
    text = _effective_config(host, instance, configs)
    if text is None:
        raise ConfigError(
            f"cannot use engine_config {instance.engine_config} of {instance.name}: "
            f"there is no {path}, and it is not one of ours",
            hint=f"write {path}, or use one of "
            + ", ".join(resources.names("configs/engine", ".yaml")),
        )
    return engine_config_problems(text, path, instance.backend, contract)


def _on_host(host: Host, path: str) -> str | None:
    raw = host.read(path)
    return raw.decode(errors="replace") if raw is not None else None
