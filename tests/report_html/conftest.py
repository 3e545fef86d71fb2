"""Reports looked at in a real browser, which says what it asked for and what it complained about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_infer.report.html.page import html_reporter
from tests.integration.conftest import elsewhere, memory, models, plans, suite
from tests.report_html.browser import VARIABLE, executable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from pytest_infer.result import RunReport

__all__ = ["elsewhere", "memory", "models", "plans", "suite"]


@dataclass
class Opened:
    """A report in a browser.

    Attributes:
        page: Playwright's handle.
        requests: what it asked for beside itself.
        complaints: messages on the console, and errors that nobody caught.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """The tests that are shown, in order."""
        names = self.page.locator("#table > tbody:not([hidden]) > tr:first-child > th span")
        return [text.strip() for text in names.all_inner_texts()]

    def row(self, test: str) -> Any:
        """The button that opens a test."""
        return self.page.get_by_role("row").get_by_role("button", name=test)

    def pictures(self, within: str = "body") -> Any:
        """The pictures that are drawn."""
        return self.page.locator(f"{within} .picture.drawn .main-svg:first-child")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium: the machine's own, or Playwright's."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright's library is not installed")
    with playwright.sync_playwright() as started:
        try:
            running = started.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        except playwright.Error as error:
            first = str(error).strip().splitlines()[0]
            pytest.skip(f"no browser: {first}; playwright install chromium, or set {VARIABLE}")
        yield running
        running.close()


class Reader:
    """Opens reports, each in a context of its own, offline."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        """Write reports into `folder`."""
        self._browser, self._folder = browser, folder
        self._contexts: list[BrowserContext] = []

    def __call__(self, report: RunReport, **given: Any) -> Opened:
        """Write a report and open it; keywords are Playwright's of a new context."""
        file = self._folder / "report.html"
        file.write_bytes(html_reporter("a test")(report))
        return self.file(file, **given)

    def file(self, file: Path, **given: Any) -> Opened:
        """Open a report that is there."""
        context: dict[str, Any] = {"offline": True, "viewport": {"width": 1280, "height": 900}} | given
        self._contexts.append(self._browser.new_context(**context))
        shown = Opened(page=self._contexts[-1].new_page())
        shown.page.set_default_timeout(30_000)
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        shown.page.on("console", lambda message: shown.complaints.append(message.text))
        shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
        shown.page.goto(file.as_uri())
        shown.requests.remove(file.as_uri())
        return shown

    def close(self) -> None:
        """Close everything."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Reader]:
    """Opens reports in the browser."""
    reader = Reader(browser, tmp_path)
    yield reader
    reader.close()
