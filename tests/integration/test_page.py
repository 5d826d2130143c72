"""The web page in a real Chromium: what it shows, what it asks for, who can use it."""

import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from fakes.nginx_rig import NEMOTRON, QWEN, Handler, Rig, eventually, running

LIMIT_MS: Final = 30_000  # of every wait: a busy machine is slow
FILES: Final = ("/", "/page.css", "/page.js")
# Pictures of every state are kept where this names a folder.
PICTURES: Final = os.environ.get("TRTLLM_PICTURES")


@pytest.fixture(name="rig")
def start_rig() -> Iterator[Rig]:
    with running("qwen", "nemotron") as rig:
        yield rig


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


class Opened:
    """The page of a proxy, and everything that the browser had to say about it."""

    def __init__(self, browser: Browser, rig: Rig, **options: object) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(**options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(LIMIT_MS)
        self.page.on(
            "console", lambda m: self.complaints.append(m.text) if m.type == "error" else 0
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.origin = f"http://127.0.0.1:{rig.port}/"
        self.page.goto(self.origin)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def state(self, name: str) -> str:
        return self.page.locator(f'[data-model="{name}"] .state').inner_text()

    def shows(self, selector: str, text: str) -> None:
        expect(self.page.locator(selector)).to_contain_text(text, timeout=LIMIT_MS)

    def picture(self, name: str) -> None:
        if PICTURES:
            self.page.screenshot(path=str(Path(PICTURES) / f"{name}.png"), full_page=True)

    def send(self, text: str = "Hello") -> None:
        self.page.fill("#prompt", text)
        self.page.click("#send")

    def demand_accessible(self) -> None:
        found = Axe().run(self.page).response["violations"]
        bad = [v["id"] for v in found if v["impact"] in {"serious", "critical"}]
        assert bad == []


@pytest.fixture(name="opened")
def open_page(browser: Browser, rig: Rig) -> Iterator[Opened]:
    opened = Opened(browser, rig)
    opened.shows("#overall", "all 2 serve")
    yield opened
    opened.context.close()


def stream(*pieces: dict[str, object], usage: int | None = None, end: bool = True):  # noqa: ANN201
    """Return an answer that a model server streams."""

    def answer(request: Handler) -> None:
        request.start_stream()
        for piece in pieces:
            chunk = {"choices": [{"index": 0, "delta": piece}]}
            request.send_chunk(f"data: {json.dumps(chunk)}\n\n".encode())
        if usage:
            last = {"choices": [], "usage": {"completion_tokens": usage}}
            request.send_chunk(f"data: {json.dumps(last)}\n\n".encode())
        if end:
            request.send_chunk(b"data: [DONE]\n\n")
        request.send_chunk(b"")

    return answer


def test_both_models_healthy(opened: Opened) -> None:
    assert (opened.state("qwen"), opened.state("nemotron")) == ("healthy", "healthy")
    opened.shows("#models", QWEN)
    opened.shows("#models", NEMOTRON)
    opened.picture("healthy")
    opened.demand_accessible()
    assert opened.complaints == []


def test_it_asks_for_nothing_from_elsewhere_and_says_so(opened: Opened, rig: Rig) -> None:
    assert opened.asked
    assert all(url.startswith(opened.origin) for url in opened.asked)
    for path in FILES:
        policy = rig.ask("GET", path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    # The policy is in force: what is not from here does not run.
    opened.page.evaluate(
        "() => { const s = document.createElement('script');"
        " s.textContent = 'window.intruder = true'; document.head.append(s); }"
    )
    assert opened.page.evaluate("() => window.intruder") is None
    assert "Content Security Policy" in "".join(opened.complaints)


def test_one_loading_and_one_down(opened: Opened, rig: Rig) -> None:
    words = "loading weights 63 %, 11.4 of 18.0 GiB, 1.9 GiB/s, about 40 s left"
    progress = {"weights_bytes": 18 << 30, "bytes_read": 12240656793}
    rig.set_state("qwen", "loading", status=words, progress=progress)
    rig.backends["nemotron"].stop()
    opened.shows('[data-model="qwen"]', words)
    opened.shows('[data-model="nemotron"] .state', "down")
    opened.shows("#overall", "0 of 2 serve")
    bar = opened.page.locator('[data-model="qwen"] progress')
    assert 0.6 < float(bar.evaluate("b => b.position")) < 0.66
    opened.picture("loading-and-down")
    opened.demand_accessible()


def test_charts_show_what_has_been_asked(opened: Opened, rig: Rig) -> None:
    rig.backends["qwen"].answer = stream({"content": "a"}, {"content": "b"}, usage=20)
    opened.send()
    opened.shows("#speed", "20 tokens")

    def charts(model: str) -> dict[str, list[float | None]]:
        return rig.ask("GET", "/overview.json").json["charts"][model]

    eventually("they are counted", lambda: any(charts(QWEN)["tokens"]), within=60)
    assert sum(value or 0 for value in charts(QWEN)["tokens"]) * 10 == pytest.approx(20)
    assert not any(charts(NEMOTRON)["tokens"])
    assert any(value is not None for value in charts(QWEN)["first_token"])
    chart = opened.page.locator('[data-model="qwen"] svg[aria-label^="Tokens"]')
    expect(chart).to_have_attribute("aria-label", re.compile(", 2 /s at most"), timeout=LIMIT_MS)
    opened.picture("charts")
    opened.demand_accessible()


def test_memory_of_the_gpus_is_a_bar_each_as_the_launchers_say(opened: Opened, rig: Rig) -> None:
    gpu = {"gpu": "GPU-1", "index": 0, "name": "NVIDIA B200", "total": 180 << 30, "free": 80 << 30}
    for name in ("qwen", "nemotron"):  # both watch the same one
        rig.set_state(name, "healthy", gpus=[gpu])
    opened.shows("#gpus", "NVIDIA B200: in use 100 GiB, free 80 GiB of 180 GiB")
    assert opened.page.locator("#gpus svg").count() == 1
    opened.picture("gpus")
    opened.demand_accessible()
    unified = {**gpu, "total": None, "free": None}
    for name in ("qwen", "nemotron"):
        rig.set_state(name, "healthy", gpus=[unified])
    expect(opened.page.locator("#gpus-section")).to_be_hidden(timeout=LIMIT_MS)


def test_thinking_is_folded_wherever_its_tags_are_cut(opened: Opened, rig: Rig) -> None:
    pieces = [*"<think>", "Let me ", "think.", "</th", "ink>", "\n\nIt is ", "<b>42</b>", "."]
    rig.backends["qwen"].answer = stream(*({"content": p} for p in pieces), usage=9)
    opened.send()
    opened.shows("#speed", "9 tokens")
    opened.shows("#text", "It is <b>42</b>.")
    thoughts = opened.page.locator("#thoughts")
    expect(thoughts).to_be_hidden()
    opened.page.click("#thinking summary")
    expect(thoughts).to_have_text("Let me think.")
    opened.picture("thinking")
    opened.demand_accessible()
    assert opened.complaints == []


def test_thoughts_that_the_server_has_parted_are_folded_too(opened: Opened, rig: Rig) -> None:
    rig.backends["nemotron"].answer = stream({"reasoning_content": "Hm."}, {"content": "Yes."})
    opened.page.select_option("#model", NEMOTRON)
    opened.send()
    opened.shows("#text", "Yes.")
    opened.page.click("#thinking summary")
    expect(opened.page.locator("#thoughts")).to_have_text("Hm.")
    asked = json.loads(rig.backends["nemotron"].seen[-1].body)
    assert (asked["model"], asked["stream"]) == (NEMOTRON, True)


def test_stop_ends_the_request_at_the_engine(opened: Opened, rig: Rig) -> None:
    left: list[float] = []
    pace = threading.Event()

    def endless(request: Handler) -> None:
        request.start_stream()
        chunk = {"choices": [{"index": 0, "delta": {"content": "more "}}]}
        try:
            while True:
                request.send_chunk(f"data: {json.dumps(chunk)}\n\n".encode())
                pace.wait(0.02)
        except OSError:
            left.append(time.monotonic())

    rig.backends["qwen"].answer = endless
    opened.send()
    opened.shows("#text", "more")
    opened.page.click("#stop")
    opened.shows("#problem", "stopped")
    eventually("the engine sees it", lambda: left)
    expect(opened.page.locator("#send")).to_be_enabled()


def test_errors_are_said_in_the_proxys_words(opened: Opened, rig: Rig) -> None:
    rig.backends["qwen"].stop()
    opened.send()
    opened.shows("#problem", "qwen")
    opened.shows("#problem", "again in")


def test_a_stream_that_is_cut_is_not_taken_for_an_end(opened: Opened, rig: Rig) -> None:
    rig.backends["qwen"].answer = stream({"content": "half an ans"}, end=False)
    opened.send()
    opened.shows("#text", "half an ans")
    opened.shows("#problem", "the answer broke off")


def test_it_fits_a_phone_and_the_dark(browser: Browser, rig: Rig) -> None:
    opened = Opened(browser, rig, viewport={"width": 390, "height": 800}, color_scheme="dark")
    opened.shows("#overall", "all 2 serve")
    wide = opened.page.evaluate("() => document.documentElement.scrollWidth")
    assert wide <= 390
    ground = opened.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(19, 20, 22)"
    opened.picture("phone-dark")
    opened.demand_accessible()
    opened.context.close()


def test_the_keyboard_alone_is_enough(opened: Opened, rig: Rig) -> None:
    rig.backends["qwen"].answer = stream({"content": "typed"})
    for _ in range(20):
        opened.page.keyboard.press("Tab")
        if opened.page.evaluate("() => document.activeElement.id") == "prompt":
            break
    opened.page.keyboard.type("Hello")
    opened.page.keyboard.press("Control+Enter")
    opened.shows("#text", "typed")


def test_a_proxy_that_is_gone_is_said_plainly(opened: Opened, rig: Rig) -> None:
    rig.stop()
    opened.shows("#overall", "no answer from the proxy")
    opened.picture("proxy-gone")


def test_it_weighs_little(rig: Rig) -> None:
    assert sum(len(rig.ask("GET", path).body) for path in FILES) < 150_000


def test_the_paths_take_reading_only_and_carry_an_id(rig: Rig) -> None:
    for path in (*FILES, "/overview.json"):
        reply = rig.ask("GET", path)
        assert (reply.status, bool(reply.headers["X-Request-Id"])) == (200, True)
        assert rig.ask("HEAD", path).body == b""
        assert rig.ask("POST", path, b"{}").error["code"] == "method_not_allowed"
    assert rig.ask("GET", "/index.html").status == 404


def test_it_can_be_turned_off() -> None:
    with running("qwen", page=False) as rig:
        for path in (*FILES, "/overview.json"):
            assert rig.ask("GET", path).error["code"] == "not_found"
