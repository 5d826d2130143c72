"""Clients that ask without a pause; a program of its own, on the network of a fleet.

It ends when its standard input is closed, and prints one JSON document: how many were
answered whole, how many had to be sent again, and what went wrong with the others.
"""

import json
import os
import sys
import threading

import openai

ENDPOINT, MODELS = sys.argv[1], sys.argv[2:]
KEY = os.environ.get("OPENAI_API_KEY", "unused")
QUESTION = [{"role": "user", "content": "Name one prime number."}]
ended = threading.Event()
answered: list[str] = []
again: list[str] = []
failures: list[str] = []
# How a kept connection looks that was closed while it was idle, as nginx does with all of them
# when it is reloaded: nothing of an answer has come, so the request was not read, and every
# HTTP client sends it again. The client's own retries would hide more, and are off.
CLOSED = ("without sending a response", "Connection reset by peer", "Broken pipe")


class Unread(Exception):
    """The connection was closed before anything came."""


def ask(model: str, *, stream: bool) -> None:
    """Ask until it is over; a stream counts only with its finish reason."""
    client = openai.OpenAI(base_url=ENDPOINT, api_key=KEY, max_retries=0, timeout=60)
    is_kept = False
    while not ended.wait(0.05):
        try:
            trouble = answer(client, model, stream=stream, is_kept=is_kept)
        except Exception as error:  # noqa: BLE001 (whatever it is, this client goes on)
            trouble = repr(error)
        is_kept = not trouble
        if trouble:
            failures.append(f"{model}: {trouble}"[:300])
        else:
            answered.append(model)


def answer(client: openai.OpenAI, model: str, *, stream: bool, is_kept: bool) -> str:
    """Ask, and once more where a kept connection was closed; return what was wrong."""
    try:
        return question(client, model, stream=stream)
    except Unread as closed:
        if not is_kept:
            return f"lost on a new connection: {closed}"
    again.append(model)
    try:
        return question(client, model, stream=stream)
    except Unread as closed:
        return f"lost again: {closed}"


def question(client: openai.OpenAI, model: str, *, stream: bool) -> str:
    """Ask once; return what was wrong with the answer, empty if nothing, or raise Unread."""
    try:
        done = client.chat.completions.create(
            model=model, messages=QUESTION, max_tokens=24, stream=stream
        )
        if not stream:
            return "" if done.choices[0].finish_reason else "no reason to end"
    except openai.OpenAIError as error:
        told = f"{error!r} from {error.__cause__!r}"
        if isinstance(error, openai.APIConnectionError) and any(w in told for w in CLOSED):
            raise Unread(told) from error
        return told
    reasons = [c.finish_reason for chunk in done for c in chunk.choices if c.finish_reason]
    return "" if reasons else "the stream ended without a reason"


def main() -> None:
    threads = [
        threading.Thread(target=ask, args=(model,), kwargs={"stream": stream})
        for model in MODELS
        for stream in (False, True)
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    ended.set()
    for thread in threads:
        thread.join()
    told = {"answered": len(answered), "again": len(again), "failures": failures}
    print(json.dumps(told))  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
