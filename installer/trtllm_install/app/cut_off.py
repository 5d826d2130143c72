"""Whether another run is at work, or was cut off and waits to be undone."""

from enum import Enum
from typing import Final

from trtllm_install.apply.holder import still_runs
from trtllm_install.apply.journal import DamagedJournal, Journal
from trtllm_install.host.protocol import Host
from trtllm_install.model.errors import HostError

AGAIN: Final = "sudo trtllm-install rollback"


class Cut(Enum):
    """What an open journal tells of the run that wrote it."""

    NOT = "no run is open"
    AT_WORK = "a run is at work"
    OFF = "a run was cut off"
    UNKNOWN = "only root can tell"


def cut_off(host: Host) -> tuple[Cut, str]:
    """Return whether another run is at work or was cut off, and that in words; reads only."""
    journal = Journal(host)
    if not journal.is_there():
        return Cut.NOT, ""
    try:
        opened = journal.read()
    except DamagedJournal as damaged:
        said = "a run was cut off, and its journal cannot be followed"
        return Cut.OFF, f"{said}: {damaged}: {AGAIN} says more"
    except HostError:  # the journal is root's
        said = "a run is at work or was cut off: `sudo trtllm-install status` knows which"
        return Cut.UNKNOWN, said
    if opened is None or opened.final:
        return Cut.NOT, ""
    verb, process = opened.begin.verb, opened.begin.process
    if still_runs(host, process):
        return Cut.AT_WORK, f"a run of {verb} is at work: pid {process.split()[0]}"
    # Whoever makes an image may still do: no process of it can be looked at.
    state, was, again = Cut.OFF, "was cut off", AGAIN
    if image := host.image():
        state, was, again = Cut.UNKNOWN, "is at work or was cut off", f"{AGAIN} --root {image}"
    return state, f"a run of {verb} {was}: `{again}` undoes it"


def cut_off_note(host: Host) -> str:
    """Say that another run is at work or was cut off, empty when neither; changes nothing."""
    return cut_off(host)[1]
