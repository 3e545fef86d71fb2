"""The shift that a session gives all tests at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from pytest_infer.stats.runs import Array, Real
    from pytest_infer.stats.spread import Spread

FEWEST_TESTS: Final = 7  # others than the one that is judged: relative from the eighth test on
NO_SLOW_SHIFT_P: Final = 1e-5
NO_FAST_SHIFT_P: Final = 0.005
"""Beyond these it is no shift that a session of this device has, and tests are judged as they are. A slower session
excuses tests, so only the impossible is refused; a faster one accuses those that stayed as they were (most tests may
have been made faster, and they not), so it must be an ordinary one."""
_MAD_TO_SD: Final = 1.4826  # 1 / norm.ppf(0.75)
_MAD_EFFICIENCY: Final = 0.37  # of the variance estimate, asymptotically (Rousseeuw & Croux 1993)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a whole session lies from the baselines, in log units.

    Attributes:
        value: median log ratio of one run of each test to its baseline.
        spread: standard deviation of those log ratios around it, from their median absolute deviation.
        count: how many tests were seen.
    """

    value: Real
    spread: Real
    count: int

    @property
    def se(self) -> Real:
        """Standard error of `value`: sqrt(pi/2) * spread / sqrt(count), the normal median's."""
        return self.spread * float(np.sqrt(np.pi / 2.0 / self.count))

    @property
    def df(self) -> float:
        """Degrees of freedom behind `spread`."""
        return _MAD_EFFICIENCY * (self.count - 1)

    def mirrored(self) -> Shift:
        """The same shift with better and worse exchanged."""
        return Shift(value=-self.value, spread=self.spread, count=self.count)


def session_shift(log_ratios: Array) -> Shift | None:
    """The median of a session's log ratios; None of fewer than seven.

    The test that is judged relative to the shift is left out of it: so the two are independent, and a test that got
    slower does not pull the yardstick along (included, it costs 2 to 3 points of power at twenty tests).

    Args:
        log_ratios: (..., T) of the other gated tests measured so far in this session, y of the screening run minus the
            mean of the baseline (`gate.log_ratio`); for the session's own line, of all.
    """
    count = log_ratios.shape[-1]
    if count < FEWEST_TESTS:
        return None
    value = np.median(log_ratios, axis=-1)
    deviation = np.median(np.abs(log_ratios - value[..., None]), axis=-1)
    spread = _MAD_TO_SD * deviation * count / (count - 0.8)  # small samples: Croux & Rousseeuw 1992
    if log_ratios.ndim == 1:
        return Shift(value=float(value), spread=float(spread), count=count)
    return Shift(value=value, spread=spread, count=count)


def shift_p(shift: Shift, spread: Spread, sessions: int) -> Real:
    """The chance of a shift this large or larger, slower, where nothing but the session changed (one-sided t).

    A session's shift against baselines of S sessions spreads with var(common) (1 + 1/S), and its median has an error
    of its own. Small p: more than what sessions of this device do: a driver, the clocks, neighbours, or a regression
    of everything.

    Args:
        shift: of all gated tests of the session.
        spread: the device's.
        sessions: S, of a typical entry.
    """
    common = (1.0 + 1.0 / sessions) * spread.common.value
    error = shift.se**2
    variance = common + error
    df = variance**2 / (common**2 / spread.common.df + error**2 / shift.df)
    p: Array = np.asarray(special.stdtr(df, -shift.value / np.sqrt(variance)))
    return float(p) if p.ndim == 0 else p


def ordinary(p: Real) -> Any:
    """Whether a shift with this one-sided p (small: slower) is one that sessions of the device have; elementwise."""
    return (p > NO_SLOW_SHIFT_P) & (1.0 - p > NO_FAST_SHIFT_P)
