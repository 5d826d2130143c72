"""The routes of the simulated engine."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from trtllm_install.simulator import inputs, replies
from trtllm_install.simulator.company import Flood
from trtllm_install.simulator.engine import Engine
from trtllm_install.simulator.faults import AT_START, FaultError, Faults
from trtllm_install.simulator.generation import Generation, Job
from trtllm_install.simulator.journal import say
from trtllm_install.simulator.server import Connection
from trtllm_install.simulator.wire import Request

_METRICS_WAIT_S = 2.0
_STATS_KEPT = 1000
_RESPONSES_KEPT = 1000
_GENERATING = frozenset({"/v1/chat/completions", "/v1/completions", "/v1/responses"})

Handler = Callable[[Request, Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line and the engine configuration decide about the routes."""

    name: str  # last component of the model folder
    version: str
    reasoning_parser: str | None = None
    iteration_stats: bool = False  # enable_iter_perf_stats
    prometheus: bool = False  # return_perf_metrics
    store_responses: bool = True


class Application:
    """Finds the route of a request and answers it."""

    def __init__(self, settings: Settings, engine: Engine, faults: Faults, flood: Flood) -> None:
        self._settings = settings
        self._flood = flood
        self.engine = engine
        self.faults = faults
        self._created = int(time.time())
        self._generation = Generation(settings.name, settings.reasoning_parser, engine)
        self._stats: list[Mapping[str, object]] = []
        self._stats_came = asyncio.Event()
        self._responses: dict[str, Mapping[str, object]] = {}
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/health"): self._health,
            ("GET", "/health_generate"): self._health_generate,
            ("GET", "/version"): self._version,
            ("GET", "/v1/models"): self._models,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/perf_metrics"): self._nothing,
            ("POST", "/kv_cache_events"): self._nothing,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/completions"): self._completion,
            ("POST", "/v1/responses"): self._response,
            ("GET", "/steady_clock_offset"): self._admin,
            ("POST", "/steady_clock_offset"): self._admin,
            ("POST", "/release_memory"): self._admin,
            ("POST", "/resume_memory"): self._admin,
            ("POST", "/update_weights"): self._admin,
            ("GET", "/server_info"): self._admin,
            ("GET", "/simulated/faults"): self._show_faults,
            ("POST", "/simulated/faults"): self._switch_faults,
            ("GET", "/simulated/state"): self._state,
        }
        if settings.prometheus:
            self._routes["GET", "/prometheus/metrics"] = self._prometheus

    async def answer(self, request: Request, connection: Connection) -> None:
        """Answer one request; whatever is wrong with it becomes an answer too."""
        path = request.path
        if self.faults.always_503 and not path.startswith("/simulated/"):
            await connection.send_json(
                503,
                replies.error_document("simulated: always 503", status=503, kind="server_error"),
            )
            return
        handler = self._routes.get((request.method, path))
        if handler is None and path.startswith("/v1/responses/"):
            handler = {"GET": self._stored, "DELETE": self._forget}.get(request.method)
        if handler is None:
            known = path.startswith("/v1/responses/") or any(p == path for _, p in self._routes)
            status, detail = (405, "Method Not Allowed") if known else (404, "Not Found")
            await connection.send_json(status, {"detail": detail})
            return
        if self.faults.generation_fails and path in _GENERATING:
            message = "simulated: the engine failed to generate"
            await connection.send_json(400, replies.error_document(message, status=400))
            return
        try:
            await handler(request, connection)
        except (inputs.InvalidRequestError, FaultError) as error:
            await connection.send_json(400, replies.error_document(str(error), status=400))

    # about the server -------------------------------------------------------------

    async def _health(self, _: Request, connection: Connection) -> None:
        await connection.send(200)

    async def _health_generate(self, _: Request, connection: Connection) -> None:
        if self.faults.generation_fails:
            text = b"Generation health check failed (simulated)"
            await connection.send(500, text, kind="text/plain; charset=utf-8")
            return
        probe = inputs.Wanted(prompt="hi", everything="hi", limit=1)
        await self._finish(self._generation.plan_chat(probe))
        await connection.send(200, b"Generation health check OK", kind="text/plain; charset=utf-8")

    async def _version(self, _: Request, connection: Connection) -> None:
        await connection.send_json(200, {"version": f"{self._settings.version}+simulated"})

    async def _models(self, _: Request, connection: Connection) -> None:
        document = replies.model_list(self._settings.name, self._created)
        await connection.send_json(200, document)

    async def _metrics(self, _: Request, connection: Connection) -> None:
        """Give the statistics away: a second reader gets only what came since."""
        if not self._stats:
            self._stats_came.clear()
            try:
                await asyncio.wait_for(self._stats_came.wait(), _METRICS_WAIT_S)
            except asyncio.TimeoutError:
                say("metrics: nothing to give")
        drained, self._stats = self._stats, []
        await connection.send_json(200, drained)

    async def _prometheus(self, _: Request, connection: Connection) -> None:
        text = (
            "# HELP trtllm_request_success_total Requests answered (simulated)\n"
            "# TYPE trtllm_request_success_total counter\n"
            'trtllm_request_success_total{model_name="undefined"} '
            f"{self.engine.finished}\n"
        )
        await connection.send(200, text.encode(), kind="text/plain; version=0.0.4")

    async def _nothing(self, _: Request, connection: Connection) -> None:
        await connection.send_json(200, [])

    async def _admin(self, _: Request, connection: Connection) -> None:
        """Answer what must never be reachable from outside, so that a test can reach for it."""
        await connection.send_json(200, {"status": "simulated: nothing was done"})

    # generating -------------------------------------------------------------------

    async def _finish(self, job: Job) -> tuple[str | None, str]:
        parts = await self._generation.complete(job)
        self._count(job)
        return parts

    def _count(self, job: Job) -> None:
        if self._settings.iteration_stats:
            self._stats.append(
                {
                    "iter": self.engine.finished,
                    "numActiveRequests": self.engine.running,
                    "numNewActiveRequests": 1,
                    "numGenTokens": job.usage.completion,
                    "simulated": True,
                }
            )
            del self._stats[:-_STATS_KEPT]
            self._stats_came.set()

    async def _chat(self, request: Request, connection: Connection) -> None:
        wanted = inputs.parse_chat(inputs.read_object(request.body))
        job = self._generation.plan_chat(wanted)
        if wanted.stream:
            await self._generation.stream_chat(
                job, connection, lambda: self.faults, usage=wanted.include_usage
            )
            self._count(job)
            return
        reasoning, content = await self._finish(job)
        document = replies.chat_reply(
            job.identity,
            reasoning=reasoning,
            content=content,
            finish=job.answer.finish,
            usage=job.usage,
        )
        await connection.send_json(200, document)

    async def _completion(self, request: Request, connection: Connection) -> None:
        wanted = inputs.parse_completion(inputs.read_object(request.body))
        job = self._generation.plan_completion(wanted)
        if wanted.stream:
            await self._generation.stream_completion(
                job, connection, lambda: self.faults, usage=wanted.include_usage
            )
            self._count(job)
            return
        _, text = await self._finish(job)
        document = replies.text_reply(
            job.identity, text=text, finish=job.answer.finish, usage=job.usage
        )
        await connection.send_json(200, document)

    async def _response(self, request: Request, connection: Connection) -> None:
        wanted = inputs.parse_response(inputs.read_object(request.body))
        job = self._generation.plan_chat(wanted, prefix="resp_")
        _, text = await self._finish(job)
        document = replies.response_reply(
            job.identity, text=text, finish=job.answer.finish, usage=job.usage
        )
        if wanted.store and self._settings.store_responses:
            self._responses[job.identity.id] = document
            while len(self._responses) > _RESPONSES_KEPT:
                del self._responses[next(iter(self._responses))]
        await connection.send_json(200, document)

    async def _stored(self, request: Request, connection: Connection) -> None:
        document = self._responses.get(request.path.rsplit("/", 1)[1])
        if document is None:
            await self._no_response(request, connection)
        else:
            await connection.send_json(200, document)

    async def _forget(self, request: Request, connection: Connection) -> None:
        key = request.path.rsplit("/", 1)[1]
        if self._responses.pop(key, None) is None:
            await self._no_response(request, connection)
        else:
            await connection.send_json(200, {"id": key, "object": "response", "deleted": True})

    async def _no_response(self, request: Request, connection: Connection) -> None:
        key = request.path.rsplit("/", 1)[1]
        message = f"Response with id '{key}' not found."
        document = replies.error_document(message, status=404, kind="NotFoundError")
        await connection.send_json(404, document)

    # only here ----------------------------------------------------------------------

    async def _show_faults(self, _: Request, connection: Connection) -> None:
        await connection.send_json(200, self.faults.document())

    async def _switch_faults(self, request: Request, connection: Connection) -> None:
        wanted = inputs.read_object(request.body)
        late = sorted(AT_START & set(wanted))
        if late:
            raise FaultError(f"{', '.join(late)}: only at the start, the load is over")
        self.faults = self.faults.changed(wanted)
        say(f"faults are now {self.faults.document()}")
        if self.faults.exit_code is not None:
            os._exit(self.faults.exit_code)
        self._flood.follow(self.faults, wanted)
        self.engine.tell_faults(self.faults)
        await connection.send_json(200, self.faults.document())

    async def _state(self, _: Request, connection: Connection) -> None:
        document = {
            "simulated": True,
            "pid": os.getpid(),
            "worker_pid": self.engine.worker_pid,
            "running": self.engine.running,
            "finished": self.engine.finished,
            "aborted": self.engine.aborted,
        }
        await connection.send_json(200, document)
