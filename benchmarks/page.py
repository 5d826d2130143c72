"""What the web page costs: its weight, its first paint, and the proxy with ten pages open.

    python benchmarks/page.py [--pages 10] [--seconds 30]

Needs what the tests need (scripts/test.sh installs it): nginx with ngx_lua, Chromium,
Playwright. Two models answer nothing; the pages ask for their states every two seconds.
"""

import argparse
import os
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "installer"), str(ROOT / "tests")]

from playwright.sync_api import sync_playwright  # noqa: E402

from fakes.nginx_rig import Rig, running  # noqa: E402

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, and print a table row for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    wanted = parser.parse_args()
    with running("qwen", "nemotron") as rig, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        weight = sum(len(rig.ask("GET", path).body) for path in ("/", "/page.css", "/page.js"))
        print(f"weight of the page: {weight / 1000:.1f} kB")
        paints = [_first_paint(browser, rig) for _ in range(10)]
        print(f"first paint: {statistics.median(paints):.0f} ms (median of {len(paints)})")
        idle = _cpu_share(rig, browser, wanted.seconds)
        pages = [browser.new_context().new_page() for _ in range(wanted.pages)]
        asked: list[str] = []
        for page in pages:
            page.on("request", lambda request: asked.append(request.url))
            page.goto(f"http://127.0.0.1:{rig.port}/")
        asked.clear()
        open_ = _cpu_share(rig, browser, wanted.seconds)
        print(f"they asked {len(asked)} times in {wanted.seconds:g} s")
        print(f"proxy without a page: {idle:.2f} % of a core")
        print(f"proxy with {wanted.pages} pages open: {open_:.2f} % of a core")
        browser.close()


def _first_paint(browser, rig: Rig) -> float:  # noqa: ANN001
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{rig.port}/")
    page.wait_for_selector(".card")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return float(paint)


def _cpu_share(rig: Rig, browser, seconds: float) -> float:  # noqa: ANN001
    page = browser.contexts[0].pages[0] if browser.contexts else browser.new_page()
    before = _cpu(rig)
    page.wait_for_timeout(seconds * 1000)
    return 100 * (_cpu(rig) - before) / seconds


def _cpu(rig: Rig) -> float:
    """Seconds that the workers have worked."""
    total = 0
    for pid in rig.workers():
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


if __name__ == "__main__":
    main()
