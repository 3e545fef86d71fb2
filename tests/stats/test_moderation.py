"""Empirical Bayes for variances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from pytest_infer.stats.moderation import Variance, common_variance, faded, trigamma_inverse


@given(st.floats(1e-3, 1e4))
def test_trigamma_inverse_inverts_trigamma(x: float) -> None:
    """Over seven decades."""
    assert trigamma_inverse(special.polygamma(1, np.array(x))) == pytest.approx(x, rel=1e-6)


def test_entries_that_differ_by_chance_alone_are_pooled() -> None:
    """Variances that agree better than chance leave no doubt: d0 is infinite, s0^2 their weighted mean."""
    fit = common_variance(np.array([1.0, 1.1, 0.9]), np.array([4.0, 4.0, 8.0]))
    assert np.isinf(fit.df)
    assert fit.value == pytest.approx((4.0 + 4.4 + 7.2) / 16)


@pytest.mark.parametrize("d0", [3.0, 10.0])
def test_the_distribution_of_variances_is_recovered(d0: float) -> None:
    """Entries drawn from the model with s0^2 = 4: the fit finds s0^2 and d0."""
    random = np.random.default_rng(1)
    df = np.full(2000, 4.0)
    true = 4.0 * d0 / random.chisquare(d0, df.size)
    fit = common_variance(true * random.chisquare(4, df.size) / 4, df)
    assert fit.value == pytest.approx(4.0, rel=0.1)
    assert fit.df == pytest.approx(d0, rel=0.2)


def test_one_entry_is_all_there_is() -> None:
    """Of one entry nothing can be said about how entries differ."""
    fit = common_variance(np.array([2.0]), np.array([4.0]))
    assert fit.value == 2.0
    assert np.isinf(fit.df)


def test_variances_of_exactly_zero_do_no_harm() -> None:
    """A counted metric that never moves has variance zero; the fit stays finite."""
    for variances in ([0.0, 0.0, 0.0], [0.0, 1.0, 1.0]):
        fit = common_variance(np.array(variances), np.full(3, 4.0))
        assert np.isfinite(fit.value)
        assert not np.isnan(fit.df)


@given(st.floats(0.1, 100), st.floats(0, 1000))
def test_a_declaration_fades(df: float, evidence: float) -> None:
    """Alone it counts in full; beside data for less, and the less the more there are."""
    assert faded(df, 0.0) == pytest.approx(df)
    assert 0 < faded(df, evidence) <= df * (1 + 1e-12)
    assert faded(df, evidence + 1) < faded(df, evidence)


@given(st.floats(0, 10), st.floats(0, 50), st.floats(0, 10), st.floats(0.1, 50))
def test_joined_knowledge_lies_between(a: float, df_a: float, b: float, df_b: float) -> None:
    """Two variances together lie between them, and their degrees of freedom add."""
    both = Variance(value=a, df=df_a).joined(Variance(value=b, df=df_b))
    assert min(a, b) - 1e-9 <= float(both.value) <= max(a, b) + 1e-9
    assert both.df == pytest.approx(df_a + df_b)


def test_nothing_joined_to_nothing_stays_nothing() -> None:
    """No degrees of freedom, no division by them."""
    both = Variance(value=0.5, df=0.0).joined(Variance(value=9.0, df=0.0))
    assert both.value == 0.5
    assert both.df == 0


def test_variances_of_one_device_are_plain_floats() -> None:
    """What reports store is no array; what simulations carry stays one."""
    one = Variance(value=np.asarray(2.0), df=np.asarray(3.0)).plain()
    assert isinstance(one.value, float)
    assert isinstance(one.df, float)
    assert np.shape(Variance(value=np.ones(2), df=3.0).plain().value) == (2,)
