"""``trtllm-serve``, simulated: same command line, same routes, no model and no GPU."""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from trtllm_install import resources
from trtllm_install.model.contract import Contract, parse_contract
from trtllm_install.model.contract_arguments import ArgumentsRefusedError, ParsedArguments
from trtllm_install.simulator import usage
from trtllm_install.simulator.checkpoint import LoadError
from trtllm_install.simulator.company import Flood, start_daemon
from trtllm_install.simulator.faults import VARIABLE, FaultError, Faults, parse_faults
from trtllm_install.simulator.journal import say, say_last_words

CONTRACT = "configs/contract/1.3.0rc2.json"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; return 2 for usage, 1 for a failed start.

    A graceful stop ends by the signal that asked for it, as uvicorn does.
    """
    contract = parse_contract(json.loads(resources.read_text(CONTRACT)))
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        arguments = contract.parse_arguments(given)
        _look_at_paths(contract, arguments)
    except ArgumentsRefusedError as error:
        return _refuse(contract, error)
    except FileNotFoundError as error:
        sys.stderr.write(f"{usage.USAGE}\n\nError: {error}\n")
        return 2
    try:
        say(usage.render_version_line(contract))
        return _serve(contract, arguments)
    except KeyboardInterrupt:
        sys.stderr.write("Aborted!\n")
        return 1


def _refuse(contract: Contract, error: ArgumentsRefusedError) -> int:
    problem = usage.first_problem(error.problems) or error.problems[0]
    if problem.fault == "help":
        sys.stdout.write(usage.render_help(contract))
        return 0
    say(usage.render_version_line(contract))
    sys.stderr.write(usage.render_refusal(contract, problem))
    return 2


def _look_at_paths(contract: Contract, arguments: ParsedArguments) -> None:
    for option in contract.options:
        value = arguments.values[option.key]
        if option.must_exist and isinstance(value, list):
            for path in value:
                if not Path(path).exists():
                    cause = f"Path '{path}' does not exist."
                    raise FileNotFoundError(f"Invalid value for '{option.names[0]}': {cause}")


def _serve(contract: Contract, arguments: ParsedArguments) -> int:
    from trtllm_install.simulator.settings import (  # noqa: PLC0415 (--help needs no YAML)
        StartError,
        read_engine_config,
    )

    try:
        faults = parse_faults(os.environ.get(VARIABLE, ""))
    except FaultError as error:
        say(f"cannot read {VARIABLE}: {error}")
        return 2
    if faults.exit_code is not None:
        say(f"ends with code {faults.exit_code}, as {VARIABLE} asks")
        return faults.exit_code
    try:
        config = read_engine_config(contract, arguments)
        bound = _bind(str(arguments.values["host"]), int(str(arguments.values["port"])))
        return _load_and_serve(contract, arguments, config, faults, bound)
    except (StartError, LoadError) as error:
        say_last_words(str(error))
        return 1


def _bind(host: str, port: int) -> socket.socket:
    """Bind the port at once and without SO_REUSEADDR; nothing listens on it yet."""
    from trtllm_install.simulator.settings import StartError  # noqa: PLC0415 (see _serve)

    try:
        families = {info[0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        family = socket.AF_INET6 if families == {socket.AF_INET6} else socket.AF_INET
        # With its protocol named, asyncio switches Nagle's delay off for what it accepts.
        bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.bind((host, port))
    except OSError as error:
        raise StartError(
            f"RuntimeError: Failed to bind socket to {host}:{port}: {error}"
        ) from error
    return bound


def _load_and_serve(
    contract: Contract,
    arguments: ParsedArguments,
    config: Mapping[str, object],
    faults: Faults,
    bound: socket.socket,
) -> int:
    from trtllm_install.simulator.worker import start_worker  # noqa: PLC0415 (see _serve)

    if faults.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if faults.daemon:
        start_daemon(bound)
    flood = Flood()
    pid, link = start_worker(arguments.model, faults, close=[bound])
    flood.set_rate(faults.log_flood)
    # The worker is forked before asyncio is there: it stays small.
    from trtllm_install.simulator.application import Settings  # noqa: PLC0415
    from trtllm_install.simulator.engine import await_load  # noqa: PLC0415
    from trtllm_install.simulator.serving import serve_until_signal  # noqa: PLC0415

    await_load(link)
    parser = config.get("reasoning_parser", arguments.values["reasoning_parser"])
    settings = Settings(
        name=Path(arguments.model).name,
        version=contract.version,
        reasoning_parser=None if parser is None else str(parser),
        iteration_stats=bool(config.get("enable_iter_perf_stats")),
        prometheus=bool(config.get("return_perf_metrics")),
        store_responses=os.environ.get("TRTLLM_RESPONSES_API_DISABLE_STORE") != "1",
    )
    end = serve_until_signal(settings, faults, flood, bound=bound, link=link, worker_pid=pid)
    link.close()
    if not end.orphan:
        os.waitpid(pid, 0)
    if end.signal == signal.SIGINT:
        raise KeyboardInterrupt
    signal.signal(end.signal, signal.SIG_DFL)
    signal.raise_signal(end.signal)
    return 0


if __name__ == "__main__":
    sys.exit(main())
