"""What a reader should do about the whole of a session's results, each thing said once."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final

from pytest_infer.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_infer.report.json_report import JsonResult
    from pytest_infer.result import Result

_REASONS: Final = 5
"""Different reasons for missing baselines that are told."""


def missing(results: Sequence[Result | JsonResult]) -> Iterator[str]:
    """Why baselines are missing where that fails nothing, and how to record them."""
    without = [r for r in results if r.outcome is Outcome.NO_BASELINE and not r.failed and not r.against]
    reasons = collections.Counter("; ".join(r.reasons) for r in without)
    yield from (f"{count} result(s): {reason}" for reason, count in reasons.most_common(_REASONS))
    if len(reasons) > _REASONS:
        yield f"{len(reasons) - _REASONS} more reason(s) why baselines are missing: -v tells them"


def blind(results: Sequence[Result | JsonResult]) -> Iterator[str]:
    """How many failed nothing that could not have seen a change of the tolerance, and what helps."""
    unseeing = [
        r
        for r in results
        if not r.failed
        and r.outcome is not Outcome.INVALID
        and any(c.blind for c in r.changes if c.against != "anchor")
    ]
    if unseeing:
        advice = (
            "record more sessions (--infer-update-baselines on other days), measure longer (--infer-time), lock a "
            "GPU's clocks (--infer-lock-clocks), or compare with a revision in one session (--infer-against)"
        )
        if unseeing[0].against:
            advice = "allow more rounds (--infer-time-limit)"
        yield f"{len(unseeing)} test(s) could not have seen a change of the tolerance: {advice}"
    dead = [r for r in unseeing if any(c.sees_nothing for c in r.changes if c.against == "baseline")]
    if dead:
        yield (
            f"{len(dead)} of them see nothing below tenfold, so far apart lie the recorded runs: begin these anew when "
            "the machine is quiet, with --infer-update-baselines=reset"
        )


def unbelieved(results: Sequence[Result | JsonResult]) -> Iterator[str]:
    """How many looked slower on a machine that was disturbed."""
    slower = [r for r in results if r.outcome is Outcome.INVALID and any(c.regressed for c in r.changes)]
    if slower:
        yield f"{len(slower)} test(s) looked slower on a disturbed machine and are not believed: run them again"
