"""What is measured: the backend asked directly, and what can stand in front of it."""

import contextlib
import os
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from load import tree

from fakes.nginx_rig import Backend, Rig, eventually, free_port
from fakes.proxy_program import proxy_program

PROGRAM = proxy_program()
LOAD_LUA = "".join(f"load_module {module};\n" for module in PROGRAM.modules)
# Where it is built in, it asks for its libraries, used or not; Debian's knows where they lie.
LUA_PATHS = f"""lua_package_path "{PROGRAM.lua_path}"; lua_package_cpath "{PROGRAM.lua_cpath}";"""
FOLDERS = (
    ("" if PROGRAM.modules else LUA_PATHS)
    + """
    client_body_temp_path {folder}/{name}-b; proxy_temp_path {folder}/{name}-p;
    fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u;
    scgi_temp_path {folder}/{name}-s;"""
)

# Answers at once; a small body that asks for a stream gets 20 events, 5 ms apart if it says so.
BACKEND = """
{load_lua}
worker_processes {workers};
pid {folder}/backend.pid;
error_log {folder}/backend.log error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    {folders}
    client_max_body_size 64m; client_body_buffer_size 16m; keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{qwen} reuseport; listen 127.0.0.1:{nemotron} reuseport;
        default_type application/json;
        location = /v1/models {{
            return 200 '{{"object":"list","data":[{{"id":"qwen","object":"model"}}]}}';
        }}
        location /v1/ {{ content_by_lua_block {{
            ngx.req.read_body()
            local length = tonumber(ngx.var.http_content_length) or 0
            local body = length < 4096 and ngx.req.get_body_data() or ""
            if body:find('"stream": ?true') then
                ngx.header["Content-Type"] = "text/event-stream"
                for i = 1, 20 do
                    ngx.print('data: {{"id":"x","object":"chat.completion.chunk","created":1,'
                        .. '"model":"qwen","choices":[{{"index":0,"delta":{{"content":"word"}}}}]}}'
                        .. "\\n\\n")
                    ngx.flush(true)
                    if body:find("paced", 1, true) then ngx.sleep(0.005) end
                end
                ngx.print("data: [DONE]\\n\\n")
                return
            end
            local answer = '{{"id":"x","object":"chat.completion","created":1,"model":"qwen",'
                .. '"choices":[{{"index":0,"finish_reason":"stop","message":'
                .. '{{"role":"assistant","content":"word"}}}}],"usage":'
                .. '{{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}}}'
            ngx.header["Content-Length"] = #answer
            ngx.print(answer)
        }} }}
        location / {{ return 200 '{{}}'; }}
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
    {folders}
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

# With --pin: each part has cores of its own, a gateway of one worker exactly one.
LOAD_CORES, GATEWAY_CORE, BACKEND_CORES = {0, 1, 2, 3}, {4}, {5, 6, 7, 8}
MORE_CORES = (9, 10, 11, 12, 13, 14, 15)  # for gateways of several workers

LITELLM = """
model_list:
  - model_name: qwen
    litellm_params:
      {{model: openai/qwen, api_base: "http://127.0.0.1:{qwen}/v1", api_key: x}}
  - model_name: nemotron
    litellm_params:
      {{model: openai/nemotron, api_base: "http://127.0.0.1:{nemotron}/v1", api_key: x}}
"""


@dataclass(frozen=True)
class Variant:
    """Something that listens, and the process whose CPU and memory are its own."""

    port: int
    pid: int


@contextlib.contextmanager
def program(
    folder: Path, name: str, argv: list[str], port: int, cores: set[int] | None
) -> Iterator[Variant]:
    """Run a program until the block ends; it is there when it answers HTTP."""
    if cores:
        argv = ["taskset", "-c", ",".join(map(str, cores)), *argv]
    environment = {**os.environ, "NO_PROXY": "*"}
    # On loopback, and without a network.
    environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    environment |= {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    with (folder / f"{name}.out").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out, env=environment, cwd=folder)
    try:
        eventually(f"{name} listens", lambda: listens(process, port), within=120)
        yield Variant(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Return whether anything answers HTTP on the port; the process must live."""
    if process.poll() is not None:
        raise SystemExit(f"{process.args} has ended with {process.returncode}")
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        time.sleep(0.1)
        return False


def nginx(
    folder: Path, text: str, name: str, port: int, cores: set[int] | None = None
) -> contextlib.AbstractContextManager[Variant]:
    """Run nginx with this configuration until the block ends."""
    (folder / f"{name}.conf").write_text(text)
    argv = [PROGRAM.path, "-p", str(folder), "-c", f"{name}.conf", "-e", f"{name}.err"]
    return program(folder, name, [*argv, "-g", "daemon off;"], port, cores)


def pin(pid: int, cores: set[int]) -> None:
    """Keep a process that runs already, and its children, on these cores."""
    for one in tree(pid):
        for thread in Path(f"/proc/{one}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def adapt_reference(text: str, folder: Path, ports: dict[str, int], port: int) -> str:
    """Return the reference made to run here: addresses and folders only."""
    servers = ""
    for name, backend in ports.items():
        text = re.sub(rf"[\w.-]*\b{name}:8000", f"reference-{name}", text)
        text = re.sub(rf'"[\w-]+-{name}"', f'"reference-{name}"', text)
        servers += f"upstream reference-{name} {{ server 127.0.0.1:{backend}; }}\n"
    text = text.replace("$backend:8000", "$backend").replace("listen 8000", f"listen {port}")
    text = re.sub(r"worker_processes\s+\w+;", "worker_processes 1;", text)
    more = servers + FOLDERS.format(folder=folder, name="reference")
    more += f"access_log {folder}/reference.access;\n"
    text = re.sub(r"http\s*\{", lambda match: f"{match[0]}\n{more}", text, count=1)
    return f"{LOAD_LUA}pid {folder}/reference.pid;\n{text}"


def others(programs: Path, folder: Path, ports: dict[str, int]) -> dict[str, tuple[list[str], int]]:
    """Return how to start the gateways that are installed in this folder, and their ports."""
    router = ["--host", "127.0.0.1", "--policy", "round_robin", "--log-level", "error"]
    router += ["--worker-urls", f"http://127.0.0.1:{ports['qwen']}"]
    known = {
        "sglang-router": ("smg", ["launch", *router, "--prometheus-port", str(free_port())]),
        "vllm-router": ("vllm-router", [*router, "--prometheus-port", str(free_port())]),
        "litellm": ("litellm", ["--host", "127.0.0.1", "--config", "litellm.yaml"]),
    }
    (folder / "litellm.yaml").write_text(LITELLM.format(**ports))
    started = {}
    for name, (binary, arguments) in known.items():
        if path := shutil.which(binary, path=str(programs)):
            port = free_port()
            started[name] = ([path, *arguments, "--port", str(port)], port)
    return started


@contextlib.contextmanager
def variants(
    folder: Path,
    reference: Path | None,
    programs: Path | None,
    *,
    pinned: bool = False,
    workers: Sequence[int] = (),
) -> Iterator[dict[str, Variant]]:
    """Start everything; the backend itself is called direct.

    One worker for each gateway, and ours with each number of ``workers`` besides.
    """
    core = GATEWAY_CORE if pinned else None
    with contextlib.ExitStack() as stack:
        ports = {"qwen": free_port(), "nemotron": free_port()}
        values = {"folder": folder, "load_lua": LOAD_LUA, **ports}
        values["workers"] = len(BACKEND_CORES) if pinned else 1
        text = BACKEND.format(folders=FOLDERS.format(folder=folder, name="backend"), **values)
        cores = BACKEND_CORES if pinned else None
        backend = nginx(folder, text, "backend", ports["qwen"], cores)
        running = {"direct": stack.enter_context(backend)}

        port = free_port()
        text = PLAIN.format(
            folders=FOLDERS.format(folder=folder, name="plain"), port=port, **values
        )
        running["plain"] = stack.enter_context(nginx(folder, text, "plain", port, core))

        backends = [Backend(name, port) for name, port in ports.items()]
        for count in (1, *workers):
            name = "ours" if count == 1 else f"ours, {count} workers"
            home = folder / f"ours-{count}"
            home.mkdir(mode=0o755)
            rig = Rig(home, backends, access_log="off", workers=count)  # as it is installed
            stack.callback(rig.stop)
            rig.start()
            eventually("ours is healthy", lambda r=rig: r.ask("GET", "/health").status == 200)
            assert rig.process
            if core:
                pin(rig.process.pid, core | set(MORE_CORES[: count - 1]))
            running[name] = Variant(rig.port, rig.process.pid)

        if reference:
            port = free_port()
            text = adapt_reference(reference.read_text(), folder, ports, port)
            running["reference"] = stack.enter_context(nginx(folder, text, "reference", port, core))
        if programs:
            for name, (argv, port) in others(programs, folder, ports).items():
                running[name] = stack.enter_context(program(folder, name, argv, port, core))
        yield running
