"""Answers to /v1/chat/completions, /v1/completions and /v1/responses, whole and streamed."""

import json
import os
import resource
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from trtllm_install.simulator import answers, replies
from trtllm_install.simulator.engine import Engine
from trtllm_install.simulator.faults import Faults
from trtllm_install.simulator.inputs import Wanted
from trtllm_install.simulator.journal import say
from trtllm_install.simulator.replies import Identity, Usage
from trtllm_install.simulator.server import Connection, StreamCutError

Say = Callable[[str, str], Mapping[str, object] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request on its way through the engine."""

    identity: Identity
    answer: answers.Answer
    parts: tuple[tuple[str, str], ...]  # (reasoning, content) of each token
    usage: Usage
    separated: bool  # whether reasoning and content are told apart


class Generation:
    """Makes answers with the engine's tokens."""

    def __init__(self, name: str, parser: str | None, engine: Engine) -> None:
        self._name = name
        self._parser = parser
        self._engine = engine

    def plan_chat(self, wanted: Wanted, *, prefix: str = "chatcmpl-") -> Job:
        """Decide every word of a chat answer."""
        on = wanted.enable_thinking
        thinking = answers.thinks(self._name, wanted.system, enable_thinking=on)
        text = answers.compose_text(self._name, wanted.prompt, thinking=thinking)
        inside = self._parser is not None and answers.starts_inside(
            self._parser, enable_thinking=on
        )
        return self._plan(
            wanted, text, prefix=prefix, separated=self._parser is not None, inside=inside
        )

    def plan_completion(self, wanted: Wanted) -> Job:
        """Decide every word of a completion; no chat template, so no thoughts."""
        text = answers.compose_text(self._name, wanted.prompt, thinking=False)
        return self._plan(wanted, text, prefix="cmpl-", separated=False, inside=False)

    def _plan(
        self, wanted: Wanted, text: str, *, prefix: str, separated: bool, inside: bool
    ) -> Job:
        answer = answers.plan_answer(
            text, limit=wanted.limit, stops=wanted.stops, ignore_eos=wanted.ignore_eos
        )
        split = answers.split_reasoning(answer.tokens, inside=inside)
        return Job(
            identity=Identity(
                id=prefix + uuid.uuid4().hex, model=self._name, created=int(time.time())
            ),
            answer=answer,
            parts=tuple(split) if separated else tuple(("", token) for token in answer.tokens),
            usage=Usage(
                prompt=answers.count_tokens(wanted.everything), completion=len(answer.tokens)
            ),
            separated=separated,
        )

    async def complete(self, job: Job) -> tuple[str | None, str]:
        """Wait for every token; return reasoning (None when not told apart) and content."""
        async with aclosing(self._tokens(job)) as tokens:
            async for _ in tokens:
                pass
        reasoning = "".join(part for part, _ in job.parts)
        return (reasoning if job.separated else None), "".join(part for _, part in job.parts)

    async def _tokens(self, job: Job) -> AsyncGenerator[int, None]:
        """Yield the index of each token as soon as it is ready."""
        index = 0
        async with aclosing(self._engine.generate(len(job.answer.tokens))) as arrivals:
            async for ready in arrivals:
                for _ in range(ready):
                    yield index
                    index += 1

    async def stream_chat(
        self, job: Job, connection: Connection, faults: Callable[[], Faults], *, usage: bool
    ) -> None:
        """Send a chat answer event by event."""
        identity = job.identity
        events = _Events(connection, faults)
        opening = replies.chat_chunk(identity, {"role": "assistant", "content": ""})

        def delta(reasoning: str, content: str) -> Mapping[str, object] | None:
            if reasoning:
                return replies.chat_chunk(identity, {"reasoning_content": reasoning})
            return replies.chat_chunk(identity, {"content": content}) if content else None

        await self._stream(job, events, delta, opening)
        await events.send(replies.chat_chunk(identity, {}, finish=job.answer.finish))
        if usage:
            await events.send(replies.usage_chunk(identity, "chat.completion.chunk", job.usage))
        await events.end()

    async def stream_completion(
        self, job: Job, connection: Connection, faults: Callable[[], Faults], *, usage: bool
    ) -> None:
        """Send a text completion event by event."""
        identity = job.identity
        events = _Events(connection, faults)
        await self._stream(job, events, lambda _, text: replies.text_chunk(identity, text))
        await events.send(replies.text_chunk(identity, "", finish=job.answer.finish))
        if usage:
            await events.send(replies.usage_chunk(identity, "text_completion", job.usage))
        await events.end()

    async def _stream(
        self,
        job: Job,
        events: "_Events",
        document: Say,
        opening: Mapping[str, object] | None = None,
    ) -> None:
        """Send every token; ``opening`` comes with the first one, not before it."""
        async with aclosing(self._tokens(job)) as tokens:
            async for index in tokens:
                if opening is not None:
                    await events.send(opening)
                    opening = None
                event = document(*job.parts[index])
                if event is not None:
                    await events.send(event)


class _Events:
    """A stream being sent, which faults may end before its time."""

    def __init__(self, connection: Connection, faults: Callable[[], Faults]) -> None:
        self._connection = connection
        self._faults = faults
        self._sent = 0
        connection.begin_stream()

    async def send(self, document: Mapping[str, object]) -> None:
        await self._connection.send_event(json.dumps(document))
        self._sent += 1
        faults = self._faults()
        if self._sent == faults.cut_after_events:
            raise StreamCutError
        if self._sent == faults.crash_after_events:
            say("fatal error in the executor: the process aborts")
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            os.abort()

    async def end(self) -> None:
        await self._connection.send_event("[DONE]")
        self._connection.end_stream()
