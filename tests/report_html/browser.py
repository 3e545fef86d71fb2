"""The browser that looks at reports: what the machine has, or what Playwright installed."""

from __future__ import annotations

import os
import shutil
from typing import Final

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""Programs that Playwright can drive, in the order in which they are taken."""
VARIABLE: Final = "PYTEST_INFER_BROWSER"
"""Names another one."""


def executable() -> str | None:
    """The browser's program; None leaves it to Playwright, which may have installed one of its own."""
    named = os.environ.get(VARIABLE)
    return named or next((found for name in BROWSERS if (found := shutil.which(name))), None)
