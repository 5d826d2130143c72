"""What the running proxy does with requests that must not work, and how long it takes."""

import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from trtllm_install.app.doctor_framing import Case, replay_framing, said
from trtllm_install.host.protocol import Host
from trtllm_install.model import layout
from trtllm_install.model.clientkeys import ADD_ONE
from trtllm_install.model.errors import HostError
from trtllm_install.model.receipt import Receipt
from trtllm_install.proxy.keys import local_key, read_keys

_CHAT: Final = "/v1/chat/completions"
_OTHER: Final = "no-such-model"
_TIMES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Median times of a request that the engine refuses at once, microseconds."""

    model: str
    direct_us: float
    proxied_us: float

    @property
    def added_us(self) -> float:
        """Return what the proxy adds."""
        return self.proxied_us - self.direct_us


def replay(host: Host, base: str, models: Sequence[str]) -> Iterator[Case]:
    """Yield a case for each rule that clients rely on; raises HostError when nobody answers."""
    key = local_key(host)
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(name: str, expected: str, method: str, path: str, body: str | None = None) -> Case:
        answer = host.http(
            method, f"{base}{path}", body=body.encode() if body else None, headers=headers
        )
        return Case(name=name, expected=expected, found=said(answer.status, answer.body))

    model = json.dumps(models[0])
    yield ask("the proxy lives", "200", "GET", "/livez")
    yield ask("every backend serves", "200", "GET", "/health")
    for known in models:
        yield ask(f"{known} is listed", "200", "GET", f"/v1/models/{known}")
    for name, expected, body in (
        ("a body that is cut off", "400 invalid_json", '{"model":'),
        ("a body with something behind it", "400 invalid_json", f'{{"model":{model}}} x'),
        ("a body that is no object", "400 invalid_json", "[1]"),
        ("no model", "400 model_missing", '{"messages":[]}'),
        ("a model further in", "400 model_missing", f'{{"x":{{"model":{model}}}}}'),
        ("a model that is no string", "400 model_not_string", '{"model":5}'),
        ("an unknown model", "404 model_not_found", f'{{"model":"{_OTHER}"}}'),
        ("the last of two", "404 model_not_found", f'{{"model":{model},"model":"{_OTHER}"}}'),
        ("an escaped key", "404 model_not_found", f'{{"model":{model},"mod\\u0065l":"{_OTHER}"}}'),
    ):
        yield ask(name, expected, "POST", _CHAT, body)
    yield ask("another method", "405 method_not_allowed", "PUT", _CHAT, "{}")
    for path in ("/update_weights", "/release_memory", "/v1/kv_cache_hints"):
        yield ask(f"{path} is closed", "404 not_found", "POST", path, "{}")
    yield from replay_framing(host, base, key)
    yield from _keys(host)
    if key:
        for name, wrong in (("no key", {}), ("a wrong key", {"Authorization": "Bearer wrong"})):
            answer = host.http("GET", f"{base}/v1/models", headers=wrong)
            found = said(answer.status, answer.body)
            yield Case(name=name, expected="401 invalid_api_key", found=found)


def _keys(host: Host) -> Iterator[Case]:
    """Whether a client could come in: the key of these requests is the proxy's own."""
    keys = read_keys(host)
    if keys is not None:
        found = "at least one" if keys else f"none: {ADD_ONE}"
        yield Case(name="keys that clients can show", expected="at least one", found=found)


def measure(host: Host, installed: Receipt) -> Iterator[Added]:
    """Yield what the proxy adds for each instance of this host.

    The request has no messages, so the engine refuses it before it costs the GPU
    anything. Both ways take turns, over a connection of their own that is kept.
    """
    key = local_key(host)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    names = [name for name in installed.order if name != "proxy"]
    for name, model in zip(names, installed.models, strict=False):
        spec = json.loads(host.read(layout.launch_spec(name)) or b"{}")
        if not spec:
            raise HostError(
                f"cannot find {name}: it has no launch spec", hint="trtllm-install verify"
            )
        body = json.dumps({"model": model}).encode()
        urls = (f"http://{spec['host']}:{spec['port']}{_CHAT}", f"{installed.endpoint}{_CHAT}")
        direct, proxied = host.time_http("POST", urls, body=body, headers=headers, times=_TIMES)
        yield Added(
            model=model,
            direct_us=1e6 * statistics.median(direct),
            proxied_us=1e6 * statistics.median(proxied),
        )
