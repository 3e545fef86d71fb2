"""Lines on work that takes long, while it takes long."""

from __future__ import annotations

import shutil
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pytest

_START_S: Final = 1.0
"""A fresh process needs that at least before it measures: Python, pytest, numpy, and no engine yet."""
_MANY_S: Final = 120.0
"""From here on minutes tell enough."""


def outlook(tests: int, runs: int, time_s: float) -> str:
    """What a recording of so many tests, runs a test and seconds a run is, and how long it takes at least."""
    processes = "1 fresh process" if runs == 1 else f"{runs} fresh processes"
    whose = "1 test" if tests == 1 else f"each of {tests} tests"
    least_s = tests * runs * (_START_S + time_s)
    told = f"{least_s:.3g} s" if least_s < _MANY_S else f"{least_s // 60:.0f} min"
    return f"{processes} for {whose}, at least {told}"


class Progress:
    """What one pytest says between the lines of its own."""

    def __init__(self, config: pytest.Config) -> None:
        """Speak through the terminal of `config`, where it has one."""
        self._config = config
        self._plugins = config.pluginmanager
        self._quiet = config.get_verbosity() < 0
        self._remote = hasattr(config, "workerinput")
        self._said = ""

    def show(self, text: str) -> None:
        """Show a line that the next one replaces, where somebody looks at a terminal; an empty one wipes it."""
        terminal = self._terminal()
        if terminal is None or not terminal.isatty or self._quiet:
            return
        with self._uncaptured():
            if text:
                terminal.ensure_newline()
            terminal.rewrite(text[: shutil.get_terminal_size().columns - 1], erase=True)
            terminal.flush()

    def say(self, text: str) -> None:
        """Say a line that stays, once, also in a log that nobody looks at now: without it a wait looks like a hang."""
        if text == self._said:
            return
        self._said = text
        terminal = self._terminal()
        with self._uncaptured():
            if terminal is None or self._remote:  # an xdist worker's terminal leads nowhere; its standard error is ours
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()
            else:
                terminal.ensure_newline()
                if self._config.get_terminal_writer().width_of_current_line:  # under -q pytest does not see its dots
                    terminal.line("")
                terminal.write_line(text)
                terminal.flush()

    def _terminal(self) -> Any:
        return self._plugins.getplugin("terminalreporter")

    def _uncaptured(self) -> AbstractContextManager[Any]:
        capture = self._plugins.getplugin("capturemanager")
        return nullcontext() if capture is None else capture.global_and_fixture_disabled()
