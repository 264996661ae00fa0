"""Evidence adds up to one score, and entries are ordered by it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.ranking import WEIGHTS, contributions, order, related

COSINES = st.floats(-1, 1, width=32)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


# --- evidence -----------------------------------------------------------------------------------------------------


def test_the_floor_is_the_zero_and_one_stays_one():
    assert related(scores(0.2, 1.0, 0.6), 0.2).tolist() == pytest.approx([0, 1, 0.5])


@given(COSINES, COSINES, st.floats(-0.5, 0.9))
def test_taking_the_floor_out_keeps_the_order(one, other, floor):
    low, high = related(scores(min(one, other), max(one, other)), floor).tolist()
    assert low <= high


# --- fusion and order ---------------------------------------------------------------------------------------------

EVIDENCE = st.integers(1, 6).flatmap(
    lambda count: st.lists(st.lists(COSINES, min_size=count, max_size=count), min_size=7, max_size=7)
)


@given(EVIDENCE)
def test_the_parts_of_a_score_are_evidence_by_weight(evidence):
    parts = contributions(np.array(evidence, np.float32)).tolist()
    for weight, values, added in zip(WEIGHTS.values(), evidence, parts, strict=True):
        assert added == pytest.approx([weight * value for value in values], abs=1e-6)


def test_the_best_score_comes_first():
    assert order(scores(0.25, 1.0, 0.5)).tolist() == [1, 2, 0]


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5]), max_size=20))
def test_ties_stay_in_the_order_in_which_they_stand(values):
    assert order(scores(*values)).tolist() == sorted(range(len(values)), key=lambda at: -values[at])
