"""Runs our Lua inside a real nginx worker: the scanner on given bytes, and the specs."""

import base64
import contextlib
import http.client
import json
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fakes.nginx_rig import connect, eventually, free_port
from fakes.proxy_program import proxy_program

HERE = Path(__file__).parent
LUALIB = HERE.parents[1] / "templates/openresty/lualib"

CONF = """
{modules}
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log error;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    client_max_body_size 64m; client_body_buffer_size 64m;
    keepalive_requests 1000000;
    lua_package_path "{folder}/?.lua;{here}/?.lua;{lualib}/?.lua;{program.lua_path}";
    lua_package_cpath "{program.lua_cpath}";
    lua_shared_dict trtllm 1m;
    lua_shared_dict trtllm_metrics 4m;
    init_by_lua_block {{ require("trtllm.json_scan").warm_up() }}
    server {{
        listen 127.0.0.1:{port};
        location = /scan {{ content_by_lua_block {{ require("spec.runner").scan() }} }}
        location = /run {{ content_by_lua_block {{ require("spec.runner").run() }} }}
    }}
}}
"""

ROUTES = """
return {
    generation = "0123456789ab", admin_socket = "/nowhere", keys_file = "/nowhere",
    peer_keys_file = "/nowhere", tls_files = {},
    backends = {
        { name = "qwen", host = "127.0.0.1", port = 1, state_file = "/nowhere",
          model = "nvidia/Qwen3-30B-A3B-FP4", upstream = "backend-1" },
        { name = "nemotron", host = "127.0.0.1", port = 2, state_file = "/nowhere",
          model = "nvidia/Nemotron", upstream = "backend-2" },
        { name = "gpu2", host = "10.0.0.2", port = 8000, peer = "gpu2",
          model = "nvidia/Nemotron", upstream = "backend-3" },
        { name = "gpu3/a", host = "10.0.0.3", port = 8000, peer = "gpu3",
          model = "nvidia/Nemotron", upstream = "backend-4" },
        { name = "gpu3/b", host = "10.0.0.3", port = 8000, peer = "gpu3",
          model = "b", upstream = "backend-5" },
    },
    models = {
        { ids = { "nvidia/Qwen3-30B-A3B-FP4", "fast" }, contains = { "qwen" }, backends = { 1 } },
        { ids = { "nvidia/Nemotron", "my-qwen-like" }, contains = { "nemotron", "nano" },
          backends = { 2, 3, 4 } },
        { ids = { "b" }, contains = {}, backends = { 5 } },
    },
}
"""


class Runner:
    """A connection to the nginx that holds our modules."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection

    def _ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        self._connection.request(method, path, body)
        answer = self._connection.getresponse()
        data = answer.read()
        assert answer.status == 200, data
        return data

    def scan(self, bodies: Sequence[bytes]) -> list[tuple[str, bytes | None]]:
        """Return the scanner's verdict on each body, and the model it has found."""
        frames = b"".join(struct.pack("<I", len(body)) + body for body in bodies)
        lines = self._ask("POST", "/scan", frames).decode().splitlines()
        return [
            (verdict, base64.b64decode(model) if verdict == "string" else None)
            for verdict, _, model in (line.partition(" ") for line in lines)
        ]

    def run(self, spec: str, name: str) -> str:
        """Run one function of tests/lua/spec/<spec>.lua; return "ok" or what was wrong."""
        body = json.dumps({"spec": spec, "name": name}).encode()
        return self._ask("POST", "/run", body).decode()


@contextlib.contextmanager
def running() -> Iterator[Runner]:
    """Yield a Runner; clean up afterwards."""
    program = proxy_program()
    modules = "\n".join(f"load_module {module};" for module in program.modules)
    folder = Path(tempfile.mkdtemp(prefix="trtllm-lua-"))
    port = free_port()
    conf = CONF.format(
        modules=modules, program=program, folder=folder, here=HERE, lualib=LUALIB, port=port
    )
    (folder / "nginx.conf").write_text(conf)
    (folder / "routes.lua").write_text(ROUTES)
    process = subprocess.Popen([program.path, "-p", folder, "-c", "nginx.conf", "-e", "error.log"])
    connection = connect(port)

    def is_listening() -> bool:
        assert process.poll() is None, (folder / "error.log").read_text()
        with contextlib.suppress(OSError):
            connection.connect()
            return True
        return False

    try:
        eventually("nginx listens", is_listening)
        yield Runner(connection)
    finally:
        connection.close()
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)
