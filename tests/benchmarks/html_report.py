"""How long an HTML report takes to make, and to open in headless Chromium, with 1,000 measurements or as many as asked.

Opening is told from the click to the first frame in which the table stands and answers; then how long it takes until an
opened row's pictures are drawn, a filter has been typed, and a column sorted. Each opening is a fresh browser.
Usage: python -m tests.benchmarks.html_report [--measurements 1000] [--openings 5]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pytest_infer.report.html.page import html_reporter
from tests.report_html.browser import executable
from tests.report_html.reports import many

FRAME = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))"


def main() -> None:
    """Print the figures, medians of all openings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measurements", type=int, default=1000)
    parser.add_argument("--openings", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        report = many(asked.measurements)
        begun = time.perf_counter()
        file.write_bytes(html_reporter("benchmark")(report))
        print(f"made in {time.perf_counter() - begun:.2f} s, {file.stat().st_size / 1e6:.1f} MB")
        openings = [opened(file) for _ in range(asked.openings)]
    for step in openings[0]:
        times = [one[step] for one in openings]
        print(f"{step:24}{statistics.median(times):6.2f} s  ({min(times):.2f} to {max(times):.2f})")


def opened(file: Path) -> dict[str, float]:
    """Seconds of each step in one fresh browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        page = browser.new_page()
        steps: dict[str, float] = {}

        def step(name: str, begun: float) -> None:
            page.evaluate(FRAME)
            steps[name] = time.perf_counter() - begun

        begun = time.perf_counter()
        page.goto(file.as_uri())
        step("open", begun)
        begun = time.perf_counter()
        page.locator("#table > tbody > tr > th button").first.click()
        page.locator("#table .picture.drawn .main-svg").first.wait_for()
        step("open a row, with pictures", begun)
        _answers(page, step)
        browser.close()
    return steps


def _answers(page: Page, step: object) -> None:
    assert callable(step)
    begun = time.perf_counter()
    page.locator("#find").fill("int8 b16")
    step("filter", begun)
    begun = time.perf_counter()
    page.get_by_role("columnheader", name="p50").get_by_role("button").click()
    step("sort", begun)


if __name__ == "__main__":
    main()
