"""Measures the proxy against the engine asked directly and, if given, another nginx.conf.

Every round asks each variant in turn, the order reversed in odd rounds, so that what
else happens on the machine hits all of them. Reported: median of the rounds, with the
smallest and largest in brackets. "plain" is nginx with kept connections and no logic:
the least that a proxy made of it can add. Needs nginx with ngx_lua, and wrk.

    python benchmarks/proxy.py [--reference NGINX_CONF] [--rounds 5] [--seconds 2]
"""

import argparse
import contextlib
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("installer", "tests")]

from fakes.nginx_rig import (  # noqa: E402 (found through the path above)
    MODULES,
    Backend,
    Rig,
    eventually,
    free_port,
    nginx_binary,
)

BACKEND = """
load_module {modules[0]};
load_module {modules[1]};
worker_processes 1;
pid {folder}/backend.pid;
error_log {folder}/backend.log error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_max_body_size 64m; client_body_buffer_size 16m; keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{qwen}; listen 127.0.0.1:{nemotron};
        default_type application/json;
        location / {{ content_by_lua_block {{
            ngx.req.read_body()
            ngx.header["Content-Length"] = 27
            ngx.print('{{"choices":[],"usage":null}}')
        }} }}
    }}
}}
"""

# What nginx costs without any logic: the least that a proxy made of it can add.
PLAIN = """
worker_processes 1;
pid {folder}/plain.pid;
error_log {folder}/plain.log error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/pb; proxy_temp_path {folder}/pp;
    fastcgi_temp_path {folder}/pf; uwsgi_temp_path {folder}/pu; scgi_temp_path {folder}/ps;
    client_max_body_size 64m; client_body_buffer_size 1m;
    upstream backend {{ server 127.0.0.1:{qwen}; keepalive 64; keepalive_requests 100000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://backend;
            proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
        }}
    }}
}}
"""

SCRIPT = """
local bodies = {{}}
function init()
    for i, name in ipairs {{ "qwen", "nemotron" }} do
        local file = io.open("{folder}/" .. name .. ".body", "r")
        bodies[i] = wrk.format("POST", "/v1/chat/completions",
            {{ ["Content-Type"] = "application/json" }}, file:read("*a"))
        file:close()
    end
end
local turn = 0
function request()
    turn = turn + 1
    return bodies[turn % 2 + 1]
end
function done(summary, latency)
    local errors = summary.errors
    io.stderr:write(string.format(
        '{{"rps":%.1f,"p50":%d,"p99":%d,"errors":%d}}', summary.requests / summary.duration * 1e6,
        latency:percentile(50), latency:percentile(99),
        errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""

TEXTS = {
    "prose": "The quick brown fox jumps over the lazy dog. He was not\\nsurprised at all. ",
    "quotes": 'He said \\"yes\\" and \\"no\\".\\n ',
    "japanese": "吾輩は猫である。名前はまだ無い。",
}


@dataclass(frozen=True)
class Cell:
    """One measurement: sizes in bytes, latencies in microseconds."""

    rps: float
    p50: int
    p99: int


def body_of(size: int, text: str, model: str) -> str:
    """Return a chat request of about ``size`` bytes, the model behind the messages."""
    filler = TEXTS[text]
    content = filler * max(1, size // len(filler.encode()))
    return (
        '{"messages":[{"role":"user","content":"' + content + '"}],"max_tokens":16,"model":"'
        f'{model}"}}'
    )


def measure(folder: Path, port: int, connections: int, seconds: float) -> Cell:
    """Run wrk once; a failed request ends the benchmark."""
    done = subprocess.run(
        [
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(folder / "wrk.lua")),
            f"http://127.0.0.1:{port}/",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    values = json.loads(re.findall(r"\{.*\}", done.stderr)[-1])
    if values.pop("errors"):
        raise SystemExit(f"wrk reported errors on port {port}: {done.stdout}")
    return Cell(**values)


@contextlib.contextmanager
def nginx(folder: Path, text: str, name: str) -> Iterator[None]:
    """Run nginx with this configuration until the block ends."""
    (folder / f"{name}.conf").write_text(text)
    command = [nginx_binary(), "-p", str(folder), "-c", f"{name}.conf", "-e", f"{name}.err"]
    process = subprocess.Popen([*command, "-g", "daemon off;"])
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def adapt_reference(text: str, folder: Path, ports: dict[str, int]) -> tuple[str, int]:
    """Return the reference made to run here (addresses and folders only) and its port."""
    port = free_port()
    servers = ""
    for name, backend in ports.items():
        text = re.sub(rf"[\w.-]*\b{name}:8000", f"reference-{name}", text)
        text = re.sub(rf'"[\w-]+-{name}"', f'"reference-{name}"', text)
        servers += f"upstream reference-{name} {{ server 127.0.0.1:{backend}; }}\n"
    text = text.replace("$backend:8000", "$backend").replace("listen 8000", f"listen {port}")
    text = re.sub(r"worker_processes\s+\w+;", "worker_processes 1;", text)
    temp = "".join(
        f"{kind}_temp_path {folder}/r-{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    logs = f"access_log {folder}/reference.access;\n"
    text = re.sub(
        r"http\s*\{", lambda match: match[0] + "\n" + servers + temp + logs, text, count=1
    )
    modules = "".join(f"load_module {module};\n" for module in MODULES)
    return f"{modules}pid {folder}/reference.pid;\n{text}", port


def private_mb(pid: int) -> float:
    """Return the memory of a process that is no file's, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^RssAnon:\s+(\d+)", text, re.MULTILINE)[0]) / 1024


def peak_private_mb(rig: Rig, work: Callable[[], object]) -> float:
    """Return the most that the workers held at any of the looks taken during ``work``."""
    done = threading.Event()
    peaks = [0.0]

    def look() -> None:
        while not done.wait(0.01):
            peaks[0] = max(peaks[0], sum(private_mb(pid) for pid in rig.workers()))

    thread = threading.Thread(target=look)
    thread.start()
    work()
    done.set()
    thread.join()
    return peaks[0]


def spread(values: list[float], unit: str = "") -> str:
    """Return the median and, in brackets, the range."""
    return f"{statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def report(what: str, rounds: list[dict[str, Cell]]) -> None:
    """Print what each variant adds to asking the backend, and the throughput ratios."""
    for name in rounds[0]:
        if name == "direct":
            line = f"p50 {spread([r[name].p50 / 1000 for r in rounds], ' ms')}"
        else:
            line = f"p50 +{spread([(r[name].p50 - r['direct'].p50) / 1000 for r in rounds], ' ms')}"
        p99 = spread([r[name].p99 / 1000 for r in rounds], " ms")
        rps = spread([r[name].rps for r in rounds], "/s")
        print(f"{what:22} {name:10} {line}  p99 {p99}  {rps}")
    if "reference" in rounds[0]:
        for name in ("plain", "ours"):
            ratios = [r[name].rps / r["reference"].rps for r in rounds]
            print(f"{what:22} {name} : reference requests/s = {spread(ratios)}")


def main() -> None:
    """Parse the command line, start everything, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", type=Path, help="an nginx.conf to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--text", choices=TEXTS, default="prose")
    parser.add_argument("--only", default="", help="cells whose label starts with this")
    options = parser.parse_args()

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trtllm-bench-")))
        folder.chmod(0o777)
        ports = {"qwen": free_port(), "nemotron": free_port()}
        text = BACKEND.format(modules=MODULES, folder=folder, **ports)
        stack.enter_context(nginx(folder, text, "backend"))

        ours = folder / "ours"
        ours.mkdir(mode=0o755)
        rig = Rig(ours, [Backend(name, port) for name, port in ports.items()])
        stack.callback(rig.stop)
        rig.start()
        eventually("the proxy is healthy", lambda: rig.ask("GET", "/health").status == 200)
        plain = free_port()
        stack.enter_context(
            nginx(folder, PLAIN.format(folder=folder, port=plain, **ports), "plain")
        )
        variants = {"direct": ports["qwen"], "plain": plain, "ours": rig.port}
        if options.reference:
            text, port = adapt_reference(options.reference.read_text(), folder, ports)
            stack.enter_context(nginx(folder, text, "reference"))
            variants["reference"] = port

        (folder / "wrk.lua").write_text(SCRIPT.format(folder=folder))
        for size, label, connections in (
            (1_000, "1 kB, 1 connection", 1),
            (1_000, "1 kB, 16 connections", 16),
            (1_000_000, "1 MB, 1 connection", 1),
            (10_000_000, "10 MB, 1 connection", 1),
        ):
            if not label.startswith(options.only):
                continue
            for name in ports:
                (folder / f"{name}.body").write_text(body_of(size, options.text, name))
            rounds = []
            for turn in range(options.rounds):
                order = list(variants) if turn % 2 == 0 else list(variants)[::-1]
                cells = {
                    name: measure(folder, variants[name], connections, options.seconds)
                    for name in order
                }
                rounds.append({name: cells[name] for name in variants})
            report(label, rounds)
        peak = peak_private_mb(rig, lambda: measure(folder, rig.port, 16, options.seconds))
        print(f"private memory at peak, 16 connections, last size above: {peak:.0f} MB")


if __name__ == "__main__":
    main()
