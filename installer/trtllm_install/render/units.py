"""systemd units and the supervisord configuration, from one model."""

from trtllm_install.model import layout
from trtllm_install.model.desired import Directory
from trtllm_install.model.exits import NO_RESTART
from trtllm_install.model.installation import Installation, Instance
from trtllm_install.render.environment import render_template
from trtllm_install.render.instance import STOP_S

_MANAGED = "Written by trtllm-install; what it owns is listed in docs/reference/files.md"
# ProtectHome=tmpfs hides these, so weights below them are bound in by PID 1, which may
# enter a home that is 0700 (tried on systemd 252).
_HOMES = ("/home/", "/root/", "/run/user/")
_FIRST_UNPRIVILEGED_PORT = 1024


def render_units(
    installation: Installation,
    real_folders: dict[str, tuple[str, ...]],
    directories: list[Directory],
    engine: str = "",
) -> dict[str, str]:
    """Return path → text of every unit and of the tmpfiles rule.

    ``real_folders`` are, for each instance, folders its checkpoint's links lead to;
    ``engine`` is the folder of an engine that lies elsewhere than in the layout.
    """
    shared = {
        "managed": _MANAGED,
        "supervise": layout.supervise(),
        "user": layout.USER,
        "run_dir": layout.RUN,
        "final_codes": NO_RESTART,
        "stop_s": STOP_S,
    }
    binds = {
        i.name: _binds(installation, i, (*real_folders.get(i.name, ()), engine))
        for i in installation.instances
    }
    units = {
        layout.unit(instance.name): render_template(
            "systemd/instance.service.j2",
            instance=instance,
            description=instance.model.replace("%", "%%"),
            unit=layout.unit(instance.name),
            mounts=[unit_path(instance.weights, colon=":")],
            binds=[unit_path(path) for path in binds[instance.name]],
            **shared,
        )
        for instance in installation.instances
    }
    if installation.proxy:
        units[layout.unit("proxy")] = render_template(
            "systemd/proxy.service.j2",
            names=[instance.name for instance in installation.instances],
            logs=installation.proxy.access_log,
            peers=[peer.name for peer in installation.proxy.peers],
            low_port=installation.proxy.port < _FIRST_UNPRIVILEGED_PORT,
            **shared,
        )
    if installation.instances:
        flag = " --simulate" if installation.simulate else ""
        units[layout.unit("gpu-ready")] = render_template(
            "systemd/gpu-ready.service.j2",
            managed=shared["managed"],
            command=f"{layout.TOOL}/bin/trtllm-install gpu-ready{flag}",
        )
    units[layout.TARGET] = render_template(
        "systemd/trtllm.target.j2",
        managed=shared["managed"],
        profile=installation.profile,
        units=[layout.unit(name) for name in installation.services],
    )
    rendered = {f"{layout.UNITS}/{name}": text for name, text in units.items()}
    rendered[layout.TMPFILES] = render_template(
        "systemd/tmpfiles.conf.j2", managed=shared["managed"], directories=directories
    )
    return rendered


def render_supervisord(installation: Installation) -> str:
    """Return the text of supervisord.conf."""
    services = [
        {"name": name, "priority": 100 + 10 * i} for i, name in enumerate(installation.services)
    ]
    return render_template(
        "supervisord/supervisord.conf.j2",
        managed=_MANAGED,
        conf=layout.SUPERVISORD_CONF,
        socket=layout.SUPERVISORD_SOCKET,
        pidfile=layout.SUPERVISORD_PID,
        logs=layout.LOGS,
        state=layout.STATE,
        user=layout.USER,
        supervise=layout.supervise(),
        services=services,
        final_codes=NO_RESTART,
        stop_s=STOP_S,
    )


def render_logrotate(installation: Installation) -> str:
    """Return the rule that keeps the proxy's access log small; a reload opens it anew."""
    systemd = installation.supervisor == "systemd"
    return render_template(
        "logrotate/trtllm.j2",
        managed=_MANAGED,
        log=layout.PROXY_ACCESS_LOG,
        user=layout.USER,
        reload=f"systemctl reload {layout.unit('proxy')}"
        if systemd
        else f"{layout.TOOL}/bin/supervisorctl -c {layout.SUPERVISORD_CONF} signal HUP proxy",
    )


def unit_path(path: str, colon: str = "\\:") -> str:
    """Return a path as unit files want it: quoted, specifiers escaped.

    Colons are escaped too, for the directives that split source from target at them.
    """
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = escaped.replace(":", colon)
    return f'"{escaped}"' if set(escaped) & set(" \t'\"") else escaped


def _binds(installation: Installation, instance: Instance, others: tuple[str, ...]) -> list[str]:
    wanted = [installation.weights_dir, instance.weights, *others]
    binds: list[str] = []
    for path in wanted:
        hidden = path.startswith(_HOMES)
        covered = any(path == b or path.startswith(f"{b}/") for b in binds)
        if hidden and not covered:
            binds.append(path)
    return binds
