"""One question to the endpoint by the ``openai`` client; prints one JSON document.

A program of its own: it runs on the network of a lab root, where the test is not.
"""

import argparse
import json
import os

import openai

KEY = os.environ.get("OPENAI_API_KEY", "unused")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--endpoint", default="http://127.0.0.1:8000/v1")
    options.add_argument("--stream", action="store_true")
    options.add_argument("model")
    chosen = options.parse_args()
    client = openai.OpenAI(base_url=chosen.endpoint, api_key=KEY, max_retries=0, timeout=30)
    try:
        answer = _streamed(client, chosen.model) if chosen.stream else _whole(client, chosen.model)
    except openai.APIStatusError as error:
        answer = {"status": error.status_code, "error": error.body}
    print(json.dumps(answer))  # noqa: T201 (the document is what this program is for)


_QUESTION = [{"role": "user", "content": "Name one prime number."}]


def _whole(client: openai.OpenAI, model: str) -> dict[str, object]:
    done = client.chat.completions.create(model=model, messages=_QUESTION, max_tokens=32)
    return {
        "status": 200,
        "model": done.model,
        "text": done.choices[0].message.content,
        "finish_reason": done.choices[0].finish_reason,
        "completion_tokens": done.usage.completion_tokens,
    }


def _streamed(client: openai.OpenAI, model: str) -> dict[str, object]:
    deltas = []
    finish_reason = None
    with client.chat.completions.create(
        model=model,
        messages=_QUESTION,
        max_tokens=32,
        stream=True,
    ) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                deltas.append(choice.delta.content or "")
                finish_reason = choice.finish_reason or finish_reason
    return {
        "status": 200,
        "text": "".join(deltas),
        "deltas": sum(1 for delta in deltas if delta),
        "finish_reason": finish_reason,
    }


if __name__ == "__main__":
    main()
