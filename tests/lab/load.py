"""Clients that ask without a pause; a program of its own, on the network of a fleet.

It ends when its standard input is closed, and prints one JSON document: how many were
answered whole, and what went wrong with the others.
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
failures: list[str] = []


def ask(model: str, *, stream: bool) -> None:
    """Ask until it is over; a stream counts only with its finish reason."""
    client = openai.OpenAI(base_url=ENDPOINT, api_key=KEY, max_retries=0, timeout=60)
    while not ended.wait(0.05):
        if trouble := question(client, model, stream=stream):
            failures.append(f"{model}: {trouble}"[:300])
        else:
            answered.append(model)


def question(client: openai.OpenAI, model: str, *, stream: bool) -> str:
    """Ask once; return what was wrong with the answer, empty if nothing."""
    try:
        done = client.chat.completions.create(
            model=model, messages=QUESTION, max_tokens=24, stream=stream
        )
        if not stream:
            return "" if done.choices[0].finish_reason else "no reason to end"
        reasons = [c.finish_reason for chunk in done for c in chunk.choices if c.finish_reason]
    except openai.OpenAIError as error:
        return repr(error)
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
    print(json.dumps({"answered": len(answered), "failures": failures}))  # noqa: T201 (its answer)


if __name__ == "__main__":
    main()
