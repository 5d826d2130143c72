"""What every verb needs: the host, the options, somebody who tells."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from trtllm_install import __version__
from trtllm_install.app.options import Options
from trtllm_install.app.reporter import Reporter
from trtllm_install.cli.chorus import Chorus
from trtllm_install.cli.envelope import API_VERSION, Envelope
from trtllm_install.cli.plain import PlainReporter
from trtllm_install.cli.values import absolute
from trtllm_install.host.local import LocalHost
from trtllm_install.host.patient import patient
from trtllm_install.host.protocol import Host
from trtllm_install.host.watched import watched
from trtllm_install.model.errors import ConfigError
from trtllm_install.model.secrets import mask_value

if TYPE_CHECKING:
    from trtllm_install.cli.runlog import RunLog

HOST = LocalHost()


def host_of(arguments: argparse.Namespace, machine: Host) -> Host:
    """Return ``machine``, or with ``--root`` the image; raises ConfigError where none is."""
    if not arguments.root:
        return machine
    from trtllm_install.host.image import ImageHost  # noqa: PLC0415 (rarely asked for)

    folder = os.path.realpath(arguments.root)
    if folder == "/":
        raise ConfigError("cannot take / as an image: it is this host", hint="leave out --root")
    entry = HOST.look(folder)
    if entry and entry.kind != "directory":
        raise ConfigError(
            f"cannot take {folder} as an image: it is not a folder", hint=f"file {folder}"
        )
    image = ImageHost(folder)
    if image.look("/etc") is None or image.look("/usr") is None:
        raise ConfigError(
            f"cannot take {folder} as an image: there is no root file system in it",
            hint=f"debootstrap stable {folder}",
        )
    return image


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the wishes that the command line carries."""
    engine = arguments.engine_path
    return Options(
        profile=arguments.profile,
        site=arguments.site,
        weights_dir=arguments.weights_dir,
        engine=getattr(arguments, "engine", None),
        engine_path=absolute(engine) if engine else None,
        init=arguments.init,
        simulate=arguments.simulate,
        packages=not getattr(arguments, "no_packages", False),
        accept=tuple(arguments.accept),
        only=tuple(getattr(arguments, "only", ())),
        deep=_is_deep(arguments),
        start=not getattr(arguments, "no_start", False),
        smoke=getattr(arguments, "smoke", False),
        rollback=not getattr(arguments, "no_rollback", False),
        on_conflict=getattr(arguments, "on_conflict", "keep"),
        timeout_s=getattr(arguments, "timeout", 3600.0),
        memory=_memory(arguments),
    )


def _is_deep(arguments: argparse.Namespace) -> bool:
    """--record and --compare mean --deep."""
    named = (getattr(arguments, name, None) is not None for name in ("record", "compare"))
    return getattr(arguments, "deep", False) or any(named)


def _memory(arguments: argparse.Namespace) -> Literal["keep", "pin", "unpin"]:
    if getattr(arguments, "pin_memory", False):
        return "pin"
    return "unpin" if getattr(arguments, "unpin_memory", False) else "keep"


@contextmanager
def reading(arguments: argparse.Namespace, envelope: Envelope) -> Iterator[Chorus]:
    """Tell of a verb whose answer is all there is: nothing, or events where they were asked for."""
    events = [_events(arguments, envelope)] if envelope.output == "jsonl" else []
    with _told(Chorus(*events), envelope) as tell:
        yield tell


@contextmanager
def waiting(arguments: argparse.Namespace, envelope: Envelope) -> Iterator[Chorus]:
    """Tell of a verb that takes its time and changes nothing."""
    with _talking(arguments, envelope) as talk, _told(Chorus(talk), envelope) as tell:
        yield tell


@contextmanager
def working(
    host: Host, arguments: argparse.Namespace, envelope: Envelope
) -> Iterator[tuple[Host, Chorus]]:
    """Tell of a verb that changes the host: to the operator, and to a log if root runs it.

    The host that it yields is ``host``, with every command noted in that log. Whatever ends
    the block is in the log by the time it leaves it.
    """
    if not host.is_root():
        with waiting(arguments, envelope) as tell:
            yield host, tell
        return
    wait = arguments.lock_timeout
    from trtllm_install.cli.runlog import RunLog  # noqa: PLC0415 (other verbs do without)

    with _talking(arguments, envelope) as talk:
        log = RunLog(host, arguments.verb, sys.argv, complain=_complain)
        with _told(Chorus(talk, log), envelope) as tell, _logged(log, envelope):
            machine = watched(host, ran=log.command, writes=log.open)
            yield patient(machine, wait, tell.note) if wait else machine, tell


@contextmanager
def _logged(log: "RunLog", envelope: Envelope) -> Iterator[None]:
    ended_by: BaseException | None = None
    try:
        yield
    except BaseException as error:
        ended_by = error
        raise
    finally:
        log.ended(ended_by)
        envelope.log_file = log.path


@contextmanager
def _told(tell: Chorus, envelope: Envelope) -> Iterator[Chorus]:
    """The profile is part of the answer, also of a failure."""
    try:
        yield tell
    finally:
        if tell.profile_name:
            envelope.add({"profile": tell.profile_name})


@contextmanager
def _talking(arguments: argparse.Namespace, envelope: Envelope) -> Iterator[Reporter]:
    """Redrawn in place on a terminal, line by line elsewhere, events where they are asked for."""
    if envelope.output == "jsonl":
        yield _events(arguments, envelope)
        return
    if not sys.stderr.isatty() or not moves_cursor():
        yield PlainReporter()
        return
    from trtllm_install.cli.live import LiveReporter  # noqa: PLC0415 (rich is 60 ms)

    live = LiveReporter()
    try:
        yield live
    finally:
        live.close()


def moves_cursor() -> bool:
    """Tell whether a terminal can be redrawn in place: that of an editor cannot."""
    return HOST.environment("TERM") not in {"dumb", "unknown"}


def _events(arguments: argparse.Namespace, envelope: Envelope) -> Reporter:
    from trtllm_install.cli.events import EventReporter  # noqa: PLC0415 (other outputs do without)

    def emit(event: Mapping[str, object]) -> None:
        envelope.event(json.dumps(mask_value(event), default=str))

    events = EventReporter(emit)
    events.tell(
        "begin",
        {
            "apiVersion": API_VERSION,
            "verb": arguments.verb,
            "tool_version": __version__,
            "host": os.uname().nodename,
        },
    )
    return events


def _complain(text: str) -> None:
    PlainReporter().line(text)
