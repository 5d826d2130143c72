"""What every verb needs: the host, the options, somebody who tells."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from trtllm_install.app.options import Options
from trtllm_install.cli.plain import PlainReporter
from trtllm_install.host.local import LocalHost

HOST = LocalHost()


def options_of(arguments: argparse.Namespace) -> Options:
    """Return the wishes that the command line carries."""
    engine = arguments.engine_path
    return Options(
        profile=arguments.profile,
        site=arguments.site,
        weights_dir=arguments.weights_dir,
        engine_path=os.path.abspath(engine) if engine else None,  # noqa: PTH100 (links stay)
        init=arguments.init,
        simulate=arguments.simulate,
        accept=tuple(arguments.accept),
        start=not getattr(arguments, "no_start", False),
        smoke=getattr(arguments, "smoke", False),
        rollback=not getattr(arguments, "no_rollback", False),
        on_conflict=getattr(arguments, "on_conflict", "keep"),
        timeout_s=getattr(arguments, "timeout", 3600.0),
    )


@contextmanager
def reporter() -> Iterator[PlainReporter]:
    """Tell on stderr: redrawn in place on a terminal, line by line elsewhere."""
    if not sys.stderr.isatty():
        yield PlainReporter()
        return
    from trtllm_install.cli.live import LiveReporter  # noqa: PLC0415 (rich is 60 ms)

    live = LiveReporter()
    try:
        yield live
    finally:
        live.close()
