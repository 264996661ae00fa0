"""Evidence adds up to one score, entries are ordered by it, and an entry's rows are found and weighed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.ranking import WEIGHTS, contributions, dense_evidence, order, related, spans_of

COSINES = st.floats(-1, 1, width=32)
ROWS = st.lists(COSINES, max_size=4)
# Entries, each the cosines of its questions and alternates, of the parts of its answer, and of all of it.
ENTRIES = st.lists(st.tuples(ROWS, ROWS, COSINES), min_size=1, max_size=8)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def dense(entries, floor=0.0):
    """Return the dense evidence of `entries` by its name."""
    cosines = [cosine for asking, answer, whole in entries for cosine in (*asking, *answer, whole)]
    end = np.cumsum([len(asking) + len(answer) + 1 for asking, answer, _ in entries])
    asking = np.array([len(asking) for asking, *_ in entries])
    found = dense_evidence(scores(*cosines), np.array([0, *end[:-1]]), end, asking, floor)
    return dict(zip(WEIGHTS, found.tolist(), strict=False))


# --- rows to entries ----------------------------------------------------------------------------------------------


@given(ENTRIES)
def test_an_entry_has_the_highest_cosine_of_its_rows(entries):
    found = dense(entries)
    best = [max(*asking, *answer, whole, -1) for asking, answer, whole in entries]
    assert found["best"] == best
    assert found["entry"] == [whole for *_, whole in entries]
    # What has no question is spoken for by its nearest text.
    assert found["question"] == [max(asking, default=most) for (asking, *_), most in zip(entries, best, strict=True)]


@given(st.lists(st.integers(1, 8), min_size=1, max_size=8), st.data())
def test_the_rows_of_some_entries_are_theirs_one_after_another(counts, data):
    starts = np.cumsum([0, *counts])
    chosen = data.draw(st.lists(st.sampled_from(range(len(counts))), unique=True))
    rows, begin, end = spans_of(starts, np.array(chosen, np.int64))
    assert len(rows) == sum(counts[ordinal] for ordinal in chosen)
    spans = zip(begin, end, strict=True)
    assert [rows[start:stop].tolist() for start, stop in spans] == [
        list(range(starts[ordinal], starts[ordinal + 1])) for ordinal in chosen
    ]


# --- evidence -----------------------------------------------------------------------------------------------------


def test_the_floor_is_the_zero_and_one_stays_one():
    assert related(scores(0.2, 1.0, 0.6), 0.2).tolist() == pytest.approx([0, 1, 0.5])


@given(COSINES, COSINES, st.floats(-0.5, 0.9))
def test_taking_the_floor_out_keeps_the_order(one, other, floor):
    low, high = related(scores(min(one, other), max(one, other)), floor).tolist()
    assert low <= high


def test_the_floor_is_taken_out_of_all_evidence():
    found = dense([([0.6], [], 0.2), ([], [0.6], 1.0)], 0.2)
    assert found["question"] == pytest.approx([0.5, 1.0])
    assert found["entry"] == pytest.approx([0, 1])
    assert found["best"] == pytest.approx([0.5, 1.0])


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
