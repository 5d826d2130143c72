"""Small values that many unit tests begin with."""

from trtllm_install.model.receipt import Receipt


def receipt(**fields: object) -> Receipt:
    """Return a receipt with what a test says and nothing else in it."""
    base: dict[str, object] = {
        "generation": 1,
        "profile": "multi",
        "supervisor": "systemd",
        "simulate": False,
        "weights_dir": "/w",
        "tool_version": "1",
        "endpoint": "http://127.0.0.1:8000",
        "models": (),
        "order": (),
    }
    return Receipt(**{**base, **fields})  # type: ignore[arg-type]
