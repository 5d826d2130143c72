"""``trtllm-install verify``."""

import argparse

from trtllm_install.app.cut_off import cut_off_note
from trtllm_install.app.verify import Verified, verify
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.present import counted, live_values
from trtllm_install.cli.wiring import HOST, host_of, reading
from trtllm_install.model.drift import Drift, Weight
from trtllm_install.model.errors import ExitCode
from trtllm_install.model.remedies import fix_lines


def drift_values(one: Drift) -> dict[str, object]:
    """Return a difference for JSON."""
    return {
        "weight": one.weight.value,
        "kind": one.kind,
        "subject": one.subject,
        "aspect": one.aspect,
        "expected": one.expected,
        "found": one.found,
        "message": one.message,
        "remedy": one.remedy,
        "diff": one.diff,
    }


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Show what differs from the receipt; 10 when something does."""
    host = host_of(arguments, HOST)
    if note := cut_off_note(host):
        envelope.note(note)
    with reading(arguments, envelope) as tell:
        seen = verify(host, tell)
    envelope.add(
        {
            "drift": [drift_values(one) for one in seen.drift],
            "generation": seen.receipt.generation,
            "instances": live_values(seen.services),
        }
    )
    for one in seen.drift:
        _say(one, envelope)
    envelope.say(_summary(seen))
    return ExitCode.CHANGES_PENDING if seen.of(Weight.DRIFT) else ExitCode.DONE


def _say(one: Drift, envelope: Envelope) -> None:
    envelope.say(f"{one.weight.value}: {one.message}")
    for line in one.diff.splitlines():
        envelope.say(f"    {line}")
    if one.remedy:
        shown = fix_lines(one.remedy) if one.weight is Weight.DRIFT else [one.remedy]
        envelope.say("\n".join(f"  {line}" for line in shown))


def _summary(seen: Verified) -> str:
    receipt = seen.receipt
    drift, unknown = seen.of(Weight.DRIFT), seen.of(Weight.UNKNOWN)
    told = counted(len(drift), "difference") if drift else "no drift"
    hidden = f"; {counted(len(unknown), 'thing')} could not be seen" if unknown else ""
    return f"{told} from generation {receipt.generation}, profile {receipt.profile}{hidden}"
