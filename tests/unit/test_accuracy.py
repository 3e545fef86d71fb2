"""Outputs against a reference and against labels."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pytest_infer.accuracy import Accuracy, accuracy, against_labels, compare, non_finite, top_k

if TYPE_CHECKING:
    from random import Random

Array = NDArray[Any]

elements = st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-6)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, max_side=4)
outputs = hnp.arrays(np.float32, shapes, elements=elements)
pairs = shapes.flatmap(lambda shape: st.tuples(*[hnp.arrays(np.float32, shape, elements=elements)] * 2))
scores = hnp.arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(2, 12)), elements=st.integers(-3, 3).map(float)
)


# --- against a reference ---------------------------------------------------------------------------------------------


@given(outputs)
def test_an_output_is_its_own_equal(output: Array) -> None:
    """Cosine one, no error."""
    figures = compare([output], [output])
    assert figures["cosine"] == pytest.approx(1.0)
    assert figures["max_abs_error"] == figures["max_rel_error"] == 0.0


@given(pairs)
def test_cosine_and_absolute_error_are_symmetric(pair: tuple[Array, Array]) -> None:
    """Which of two is the reference matters for the relative error only."""
    one, other = compare([pair[0]], [pair[1]]), compare([pair[1]], [pair[0]])
    assert one["cosine"] == pytest.approx(other["cosine"])
    assert one["max_abs_error"] == other["max_abs_error"]


@given(pairs, st.sampled_from([2.0**-8, 2.0, 2.0**10]))
def test_scale_changes_the_absolute_error_only(pair: tuple[Array, Array], factor: float) -> None:
    """In another unit the cosine and the relative error are the same, the absolute one grows along."""
    assume(pair[1].any())
    small, large = compare([pair[0]], [pair[1]]), compare([pair[0] * factor], [pair[1] * factor])
    assert large["cosine"] == pytest.approx(small["cosine"])
    assert large["max_rel_error"] == pytest.approx(small["max_rel_error"])
    assert large["max_abs_error"] == pytest.approx(small["max_abs_error"] * factor)


@given(pairs)
def test_figures_stay_in_their_range(pair: tuple[Array, Array]) -> None:
    """Whatever comes in."""
    figures = compare([pair[0]], [pair[1]])
    assert -1 - 1e-9 <= figures["cosine"] <= 1 + 1e-9
    assert figures["max_abs_error"] >= 0
    assert figures["max_rel_error"] >= 0


@given(st.lists(pairs, min_size=1, max_size=3), st.randoms())
def test_the_worst_output_counts_wherever_it_stands(some: list[tuple[Array, Array]], random: Random) -> None:
    """Several outputs are as bad as the worst of them, in any order."""
    together = compare([mine for mine, _ in some], [theirs for _, theirs in some])
    single = [compare([mine], [theirs]) for mine, theirs in some]
    assert together["cosine"] == min(f["cosine"] for f in single) or together["cosine"] == 1.0
    assert together["max_abs_error"] == max(f["max_abs_error"] for f in single)
    random.shuffle(some)
    assert compare([mine for mine, _ in some], [theirs for _, theirs in some]) == together


def test_the_worst_sample_counts() -> None:
    """One wrong row of many is not averaged away."""
    theirs = np.eye(4)
    mine = theirs.copy()
    mine[2] = [1, 0, 0, 0]
    assert compare([mine], [theirs])["cosine"] == 0.0


def test_relative_errors_next_to_zero_are_not_endless() -> None:
    """A reference of zero is held to a millionth of its largest neighbour."""
    assert compare([np.array([1e-9, 100.0])], [np.array([0.0, 100.0])])["max_rel_error"] == pytest.approx(1e-5)


def test_all_zero_outputs() -> None:
    """Both zero agree; one zero against something doesn't."""
    zero, one = np.zeros((1, 3)), np.ones((1, 3))
    assert compare([zero], [zero]) == {"cosine": 1.0, "max_abs_error": 0.0, "max_rel_error": 0.0}
    assert compare([zero], [one])["cosine"] == 0.0
    assert compare([one], [zero])["max_rel_error"] > 1e6


def test_a_zero_reference_makes_no_warning_and_no_infinity() -> None:
    """Warnings may be errors in a user's suite, and JSON has no infinity: the figure is only very large."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures = compare([np.array([1e6, 0.0])], [np.zeros(2)])
    assert 1e6 < figures["max_rel_error"] < float("inf")


def test_integers_don_t_wrap() -> None:
    """Errors of unsigned outputs are taken in double precision."""
    assert compare([np.array([1], np.uint8)], [np.array([2], np.uint8)])["max_abs_error"] == 1.0


def test_empty_outputs_have_no_error() -> None:
    """No detected box is no disagreement."""
    assert compare([np.zeros((0, 4))], [np.zeros((0, 4))])["max_abs_error"] == 0.0


def test_what_does_not_fit_is_refused() -> None:
    """Numbers of outputs and shapes must agree; nothing is broadcast."""
    with pytest.raises(ValueError, match="1 outputs against 2"):
        compare([np.ones(3)], [np.ones(3), np.ones(3)])
    with pytest.raises(ValueError, match=r"shape \[3\] against \[1, 3\]"):
        compare([np.ones(3)], [np.ones((1, 3))])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_reference_that_is_not_finite_is_no_reference(bad: float) -> None:
    """It must not make perfect figures: either it is refused, or no figure of it keeps a budget."""
    try:
        figures = accuracy({"y": np.ones((1, 3))}, {"y": np.array([[1.0, bad, 1.0]])}, None).figures()
    except ValueError as error:
        assert "reference" in str(error)  # noqa: PT017 - one of two right answers
    else:
        assert not figures.get("cosine", np.nan) > 0.5
        assert not figures.get("max_abs_error", np.nan) < 1e9


# --- against labels --------------------------------------------------------------------------------------------------


@given(scores, st.data())
def test_top_k_grows_with_k_and_ends_at_one(table: Array, data: st.DataObject) -> None:
    """A larger k never counts less; all classes together hold every label."""
    labels = data.draw(hnp.arrays(np.int64, table.shape[0], elements=st.integers(0, table.shape[1] - 1)))
    shares = [top_k(table, labels, k) for k in range(1, table.shape[1] + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@given(scores, st.data())
def test_top_k_depends_on_order_only(table: Array, data: st.DataObject) -> None:
    """Scores scaled and moved rank the same; classes renamed along with the labels too."""
    labels = data.draw(hnp.arrays(np.int64, table.shape[0], elements=st.integers(0, table.shape[1] - 1)))
    classes = np.array(data.draw(st.permutations(range(table.shape[1]))))
    share = top_k(table, labels, 2)
    assert top_k(table * 4 + 1, labels, 2) == share
    assert top_k(table[:, np.argsort(classes)], classes[labels], 2) == share


@given(scores)
def test_an_output_like_the_reference_drops_nothing(table: Array) -> None:
    """Also where several classes tie for the best, as coarse precisions make them."""
    found = accuracy({"y": table}, {"y": table}, None)
    assert (found.top1_drop, found.top5_drop) == (0.0, 0.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float16, np.float64])
def test_any_type_of_scores_ranks(dtype: type[np.generic]) -> None:
    """The highest number is the best, in every type."""
    table = np.array([[0, 5, 100]], dtype)
    assert [top_k(table, np.array([label]), 1) for label in range(3)] == [0.0, 0.0, 1.0]
    low = np.array([[np.iinfo(np.int8).min, 0]], np.int8)
    assert top_k(low, np.array([1]), 1) == 1.0


def test_top_1_and_top_5_count_rows() -> None:
    """Two of four right; five classes of six nearly always."""
    table = np.eye(4, 6)
    assert top_k(table, np.array([0, 1, 0, 0]), 1) == 0.5
    figures = against_labels(table, np.array([0, 1, 2, 3]), None)
    assert figures == {"top1": 1.0, "top5": 1.0}


def test_labels_must_fit() -> None:
    """One label a row, scores by class."""
    with pytest.raises(ValueError, match="one label a sample"):
        top_k(np.ones((4, 3)), np.zeros(3, np.int64), 1)
    with pytest.raises(ValueError, match="one label a sample"):
        top_k(np.ones(4), np.zeros(4, np.int64), 1)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_must_be_classes(label: int) -> None:
    """Labels counted from one, say, are a mistake and no low accuracy."""
    with pytest.raises(ValueError, match=r"labels run from .* the classes from 0 to 2"):
        top_k(np.ones((2, 3)), np.array([0, label]), 1)


def test_a_drop_is_positive_when_worse() -> None:
    """The reference's share minus the engine's, on the same labels."""
    labels = np.array([0, 1])
    right, half = np.eye(2), np.array([[1.0, 0.0], [1.0, 0.0]])
    assert accuracy({"y": half}, {"y": right}, labels).top1_drop == 0.5
    assert accuracy({"y": right}, {"y": half}, labels).top1_drop == -0.5


def test_without_labels_the_reference_s_best_class_is_the_label() -> None:
    """The drop is the share of samples on which the two disagree; absolute shares there are none."""
    found = accuracy({"y": np.array([[1.0, 0.0], [1.0, 0.0]])}, {"y": np.eye(2)}, None)
    assert (found.top1_drop, found.top5_drop) == (0.5, 0.0)
    assert (found.top1, found.top5) == (None, None)


def test_outputs_that_are_no_scores_have_no_drop() -> None:
    """Feature maps are compared, not ranked."""
    maps = {"y": np.ones((1, 2, 3))}
    found = accuracy(maps, maps, None)
    assert found.top1_drop is None
    assert found.cosine == pytest.approx(1.0)


def test_nothing_to_hold_against_gives_no_figures() -> None:
    """Finite outputs alone prove nothing else."""
    assert accuracy({"y": np.ones(3)}, None, None) == Accuracy()
    assert Accuracy().figures() == {}


def test_figures_are_those_that_are_there() -> None:
    """Notes are no figures; the note says where figures come from."""
    found = accuracy({"y": np.eye(2)}, None, np.array([0, 1]), ("reference: none",))
    assert found.figures() == {"top1": 1.0, "top5": 1.0}
    assert found.notes == ("reference: none",)


def test_names_align_outputs() -> None:
    """A reference may give the same outputs in another order; where the names are others, the order counts."""
    one, other = np.eye(2), np.array([[0.0, 3.0], [2.0, 1.0]])
    mine = {"a": one, "b": other}
    assert accuracy(mine, {"b": other, "a": one}, None).cosine == pytest.approx(1)
    assert accuracy(mine, {"b": other, "a": one}, np.array([0, 1])).top1_drop == 0.0
    assert accuracy(mine, {"c": one, "d": other}, None).cosine == pytest.approx(1)
    assert accuracy(mine, {"c": other, "d": one}, None).cosine != pytest.approx(1)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8, np.int64])
def test_labels_in_any_type_that_counts(dtype: type[np.generic]) -> None:
    """Files of labels often hold them as floats; truth values are the classes 0 and 1."""
    assert top_k(np.eye(3), np.array([0, 1, 0], dtype), 1) == pytest.approx(2 / 3)
    assert top_k(np.eye(2), np.array([False, True]), 1) == 1.0


@pytest.mark.parametrize("labels", [[0.5, 1.0], [np.nan, 1.0], [np.inf, 1.0], ["0", "1"], [None, 1]])
def test_labels_that_are_no_classes(labels: list[Any]) -> None:
    """They are told, and not cut or looked up."""
    with pytest.raises(ValueError, match=r"labels are classes by number, counted from 0; of type .* not all whole"):
        top_k(np.eye(2), np.array(labels), 1)


def test_what_is_no_number_is_left_out() -> None:
    """Text and objects on either side; without anything else there is no figure, above all no perfect one."""
    text, maps = np.array(["a", "b"]), np.array([{0: 1.0}, {0: 2.0}])
    found = accuracy({"label": text, "y": np.eye(2), "maps": maps}, {"y": np.eye(2)}, np.array([0, 1]), ("given",))
    assert (found.cosine, found.top1, found.top1_drop) == (1.0, 1.0, 0.0)
    assert found.notes == ("given", "left out, since they are no numbers: 'label', 'maps'")
    assert accuracy({"label": text}, {"label": text}, None).figures() == {}
    with pytest.raises(ValueError, match="0 outputs against 1 of the reference"):
        accuracy({"label": text}, {"label": np.ones(2)}, None)


# --- finite values first ---------------------------------------------------------------------------------------------


def test_outputs_that_are_not_finite_are_told_with_their_place() -> None:
    """Name, how many, the first value and where it is; no other figure is taken of them."""
    broken = np.ones((2, 3), np.float32)
    broken[1, 2], broken[1, 0] = np.nan, -np.inf
    found = accuracy({"y": np.ones((2, 3)), "z": broken}, {"y": np.ones((2, 3)), "z": np.ones((2, 3))}, None)
    assert found.non_finite == ("output 'z': 2 of 6 values not finite, first -inf at [1, 0]",)
    assert found.figures() == {}


@given(hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=3)))
def test_only_finite_outputs_are_quiet(output: Array) -> None:
    """Over all arrays: a line exactly where a value is NaN or infinite."""
    assert bool(non_finite({"y": output})) == (not np.isfinite(output).all())


def test_integers_and_scalars_are_looked_at_too() -> None:
    """Integers are always finite; a scalar has a place as well."""
    assert non_finite({"labels": np.array([1, 2])}) == ()
    assert non_finite({"loss": np.array(np.nan)}) == ("output 'loss': 1 of 1 values not finite, first nan at []",)


def test_labels_before_scores_are_no_scores() -> None:
    """A classifier that gives its choice first: the first output of shape (samples, classes) is scored, and named."""
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.1, 0.7]])
    outputs = {"label": scores.argmax(axis=1), "probabilities": scores}
    found = accuracy(outputs, outputs, np.array([0, 1]))
    assert (found.top1, found.top1_drop) == (0.5, 0.0)
    assert "scores: output 'probabilities'" in found.notes
    assert accuracy(outputs, outputs, None).top1_drop == 0.0
