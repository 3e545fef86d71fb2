"""From a finished run to one HTML file that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import base64
import collections
import hashlib
import importlib.util
import json
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from pytest_infer.errors import MissingDependencyError
from pytest_infer.report.advice import blind, missing, unbelieved
from pytest_infer.report.html.group_figures import group_of
from pytest_infer.report.html.groups import families
from pytest_infer.report.html.model import Count, Page, Table
from pytest_infer.report.html.rows import error_row, row_of
from pytest_infer.report.html.wording import BROKEN, MEANINGS, NO_VERDICT, badge_of
from pytest_infer.report.json_report import content_of
from pytest_infer.report.unjudged import counted
from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_infer.report.html.model import Badge
    from pytest_infer.report.json_report import JsonReport
    from pytest_infer.result import RunReport

_PACKAGES: Final = ("jinja2", "plotly")


def html_reporter(wanted_by: str) -> Callable[[RunReport], bytes]:
    """What makes the content of an HTML report; `wanted_by` is the option that asks for it.

    Raises:
        MissingDependencyError: a package of the extra `report` is not installed.
    """
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(package, "report", wanted_by)
    return lambda report: render(content_of(report))


def render(report: JsonReport) -> bytes:
    """The page of a report, be it of this run or one that was read back."""
    import jinja2
    from plotly.offline import get_plotlyjs

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_own),
        autoescape=True,  # node ids and reasons are other people's texts
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["inert_json"] = inert_json
    script, plotly = _own("script.js"), _one_kind_of_newline(get_plotlyjs())
    return (
        environment.get_template("page.html.j2")
        .render(
            page=page_of(report),
            style=_own("style.css"),
            script=script,
            plotly=plotly,
            digests=[_digest(script), _digest(plotly)],
        )
        .encode()
    )


def page_of(report: JsonReport) -> Page:
    """What the page shows, failures first."""
    shown = [*(row_of(result, report) for result in report.results), *map(error_row, report.errors)]
    rows = sorted(shown, key=lambda row: row.rank)
    failing = sum(row.failed for row in rows)
    return Page(
        headline=_headline(report),
        failed=failing > 0,
        facts=_facts(report),
        environment=Table(title="", header=(), rows=tuple(sorted(report.environment.items()))),
        notes=(*report.notes, *(note for told in (missing, unbelieved, blind) for note in told(report.results))),
        counts=(*_errors(report), *_counts(report)),
        failing=failing,
        devices=tuple(dict.fromkeys(row.device for row in rows if row.device)),
        rows=tuple(rows),
        groups=tuple(group_of(family) for family in families(report.results)),
    )


def inert_json(value: Any) -> str:
    """JSON that can stand inside any element: nothing in it is read as markup."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _headline(report: JsonReport) -> str:
    broken = [counted(len(report.errors))] if report.errors else []
    total, failing = len(report.results), sum(result.failed for result in report.results)
    all_of_them = "The one measurement" if total == 1 else f"All {total} measurements"
    if failing:
        measured = [f"{failing} of {total} measurements fail{'s' if failing == 1 else ''}"]
    else:
        measured = [f"{all_of_them} {'passes' if total == 1 else 'pass'}"] if total else []
    return "; ".join([*measured, *broken]) or "Nothing was measured"


def _facts(report: JsonReport) -> tuple[tuple[str, str], ...]:
    """When, on what, and against what."""
    device = {str(key): str(value) for key, value in report.device.items()}
    name, slug = device.pop("name", ""), device.pop("slug", "")
    others = list(dict.fromkeys(result.against for result in report.results if result.against))
    facts = [("started", report.started.replace("T", " ")), ("device", f"{name} ({slug})" if name else slug)]
    facts += [("compared with", other) for other in others]
    facts += [("baselines", f"recorded ({report.update})")] if report.update else []
    return (*facts, *device.items())


def _errors(report: JsonReport) -> Iterator[Count]:
    if report.errors:
        yield Count(badge=BROKEN, number=len(report.errors), meaning=NO_VERDICT)


def _counts(report: JsonReport) -> Iterator[Count]:
    numbers = collections.Counter(result.outcome for result in report.results)
    for outcome in Outcome:
        if numbers[outcome]:
            yield Count(badge=_badge(report, outcome), number=numbers[outcome], meaning=MEANINGS[outcome])


def _badge(report: JsonReport, outcome: Outcome) -> Badge:
    return badge_of(outcome, failed=any(r.failed for r in report.results if r.outcome is outcome))


def _own(name: str) -> str:
    """One of the files beside this one; templates lie in a folder of theirs."""
    folder = resources.files("pytest_infer.report.html")
    path = folder / "templates" / name if name.endswith(".j2") else folder / name
    return _one_kind_of_newline(path.read_text(encoding="utf-8"))


def _one_kind_of_newline(text: str) -> str:
    """Browsers read a file so; a script's digest is of what they read."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _digest(script: str) -> str:
    """By which the page's own policy lets a script run, and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
