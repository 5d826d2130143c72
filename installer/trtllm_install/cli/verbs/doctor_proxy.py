"""``trtllm-install doctor proxy``."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain

from trtllm_install.app.doctor_framing import Case, replay_slow
from trtllm_install.app.doctor_proxy import Added, measure, replay
from trtllm_install.app.operate import installed_receipt
from trtllm_install.cli.envelope import Envelope
from trtllm_install.cli.wiring import HOST, reading
from trtllm_install.model.errors import ConfigError, ExitCode, NeedsRoot


def run(arguments: argparse.Namespace, envelope: Envelope) -> ExitCode:
    """Replay what must not work, and measure what the proxy adds."""
    if not HOST.is_root():
        raise NeedsRoot("cannot ask the proxy: not root", hint="sudo trtllm-install doctor proxy")
    receipt = installed_receipt(HOST)
    with reading(arguments, envelope) as tell:
        tell.profile(receipt.profile)
        if "proxy" not in receipt.order:
            raise ConfigError(
                f"cannot ask the proxy: profile {receipt.profile} has none",
                hint="trtllm-install status",
            )
        cases = []
        replayed = replay(HOST, receipt.endpoint, receipt.models)
        for case in chain(replayed, replay_slow(HOST, receipt.endpoint)):
            cases.append(case)
            envelope.say_now(_line(case))
        added = list(measure(HOST, receipt))
    envelope.add(conformance_values(cases, added))
    for one in added:
        envelope.say(
            f"  {one.model}: +{one.added_us:.0f} µs "
            f"({one.direct_us:.0f} direct, {one.proxied_us:.0f} through the proxy)"
        )
    return ExitCode.DONE if all(case.passed for case in cases) else ExitCode.GATE_FAILED


def _line(case: Case) -> str:
    told = case.expected if case.passed else f"{case.expected}, and was {case.found}"
    return f"  {'ok' if case.passed else 'WRONG':<7}{case.name:<44}  {told}"


def conformance_values(cases: Sequence[Case], added: Sequence[Added]) -> dict[str, object]:
    """Return both for JSON."""
    return {
        "cases": [{**asdict(case), "passed": case.passed} for case in cases],
        "added": [
            {
                "model": one.model,
                "direct_us": round(one.direct_us, 1),
                "proxied_us": round(one.proxied_us, 1),
                "added_us": round(one.added_us, 1),
            }
            for one in added
        ],
    }
