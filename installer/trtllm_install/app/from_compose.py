"""The files of ours that a compose setup comes to, and laying them down for an install."""

from posixpath import dirname

from trtllm_install.app.engine_choice import default_version, read_contract
from trtllm_install.config.compose_file import parse_compose
from trtllm_install.config.from_compose import FromCompose, translate_compose
from trtllm_install.config.profile import parse_profile
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import ConfigError
from trtllm_install.probes.weights_folder import DEFAULT, calling_home


def read_compose(host: Host, path: str) -> FromCompose:
    """Return what the compose file at ``path`` comes to; reads it and its ``.env`` only.

    Raises ConfigError when it cannot be read or serves no model, and when what came of
    it is no profile.
    """
    text = _text(host, path)
    folder = dirname(path)
    home = calling_home(host) or "~"
    services = parse_compose(
        text,
        path,
        folder=folder,
        home=home,
        variables=_variables(host.read(f"{folder}/.env") or b""),
    )
    found = translate_compose(
        services,
        read_contract(default_version()),
        default_weights=DEFAULT.replace("~", home, 1),
    )
    for name, profile in found.profiles.items():
        parse_profile(profile, f"{path}, profile {name}")
    return found


def files_of(host: Host, found: FromCompose) -> dict[str, bytes]:
    """Return path below /etc/trtllm → content; raises ConfigError where a mount is not there."""
    files = {f"/profiles/{name}.yaml": text.encode() for name, text in found.profiles.items()}
    if found.site:
        files["/site.yaml"] = found.site.encode()
    for name, source in found.engine.items():
        content = host.read(source)
        if content is None:
            raise ConfigError(
                f"cannot read {source}: no such file",
                hint="run this where the compose file and what it mounts are",
            )
        files[f"/engine/{name}"] = content
    return files


def write_files(host: Host, folder: str, files: dict[str, bytes]) -> tuple[str, ...]:
    """Write the files below ``folder``; return those that were not there.

    A file that is there with other content is somebody's: raises ConfigError that names
    all of them, and then nothing was written.
    """
    there = {path: host.read(folder + path) for path in files}
    differ = [path for path, content in there.items() if content not in {None, files[path]}]
    if differ:
        raise ConfigError(
            "cannot write: there already, with other content: "
            + ", ".join(folder + path for path in differ),
            hint=f"write elsewhere and compare: --write DIR, then diff -r DIR {folder}",
        )
    new = [path for path, content in there.items() if content is None]
    for parent in dict.fromkeys(dirname(folder + path) for path in ("/-", *new)):
        if host.look(parent) is None:
            host.make_directory(parent, mode=0o755, owner="root")
    for path in new:
        host.write(folder + path, files[path], mode=0o644, owner="root")
    return tuple(folder + path for path in new)


def _text(host: Host, path: str) -> str:
    raw = host.read(path)
    if raw is None:
        raise ConfigError(f"cannot read {path}: no such file", hint=f"ls {dirname(path)}")
    return raw.decode(errors="replace")


def _variables(raw: bytes) -> dict[str, str]:
    """NAME=value lines of ``.env``, quotes taken off."""
    pairs = (line.partition("=") for line in raw.decode(errors="replace").splitlines())
    return {
        name.strip().removeprefix("export "): value.strip().strip("\"'")
        for name, equals, value in pairs
        if equals and not name.startswith("#")
    }
