"""How long the minimum detectable effect takes to compute: it stands beside every verdict.

python tests/benchmarks/detectable_time.py
"""

from __future__ import annotations

from functools import partial
from timeit import repeat
from typing import TYPE_CHECKING

import numpy as np

from pytest_infer.stats.mde import minimum_detectable_effect
from pytest_infer.stats.rule import Rule
from pytest_infer.stats.runs import Runs
from pytest_infer.stats.shift import session_shift
from pytest_infer.stats.spread import GPU, estimate_spread

if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Print milliseconds a call, without and with a shift, for small and large baselines."""
    random = np.random.default_rng(1)
    for sessions, runs in ((1, 5), (3, 5), (4, 5)):
        code = np.repeat(np.arange(sessions), runs)
        entries = [Runs(y=0.005 * random.standard_normal(code.size), session=code) for _ in range(20)]
        spread = estimate_spread(entries, GPU)
        for shift in (None, session_shift(0.005 * random.standard_normal(19))):
            judged = partial(minimum_detectable_effect, entries[0], spread, Rule(), shift=shift)
            kind = "absolute" if shift is None else "relative"
            print(f"{sessions} x {runs} runs, {kind}: {_milliseconds(judged):.1f} ms")
        estimate = partial(estimate_spread, entries, GPU)
        print(f"{sessions} x {runs} runs, spread of 20 tests: {_milliseconds(estimate):.1f} ms")


def _milliseconds(call: Callable[[], object]) -> float:
    return 1000 * min(repeat(call, number=10, repeat=5)) / 10


if __name__ == "__main__":
    main()
