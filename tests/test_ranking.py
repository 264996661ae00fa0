"""Evidence adds up to one score, entries are ordered by it, and an entry's rows are found and weighed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.ranking import (
    NOTHING,
    WEIGHTS,
    best_by_kind,
    contributions,
    dense_evidence,
    fuse,
    order,
    related,
    spans_of,
)
from retriever.snapshot import KINDS

COSINES = st.floats(-1, 1, width=32)
# Entries, each a list of (kind, cosine), at least one.
ENTRIES = st.lists(st.lists(st.tuples(st.integers(0, 4), COSINES), min_size=1, max_size=8), min_size=1, max_size=8)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def laid_out(entries):
    rows = [row for entry in entries for row in entry]
    starts = np.cumsum([0] + [len(entry) for entry in entries])
    kinds, cosines = zip(*rows, strict=True)
    return np.array(cosines, np.float32), np.array(kinds, np.uint8), starts


# --- rows to entries ----------------------------------------------------------------------------------------------


@given(ENTRIES)
def test_an_entry_has_the_highest_cosine_of_each_kind(entries):
    cosines, kinds, starts = laid_out(entries)
    found = best_by_kind(cosines, kinds, starts[:-1], KINDS)
    for code in range(len(KINDS)):
        held = [[cosine for kind, cosine in entry if kind == code] for entry in entries]
        assert found[code].tolist() == [max(values, default=NOTHING) for values in held]


@given(ENTRIES, st.data())
def test_the_rows_of_some_entries_are_theirs_one_after_another(entries, data):
    _, _, starts = laid_out(entries)
    chosen = data.draw(st.lists(st.sampled_from(range(len(entries))), unique=True))
    rows, begin = spans_of(starts, np.array(chosen, np.int64))
    expected = [list(range(starts[ordinal], starts[ordinal + 1])) for ordinal in chosen]
    assert rows.tolist() == [row for span in expected for row in span]
    assert [rows[at] for at in begin] == [span[0] for span in expected]


# --- evidence -----------------------------------------------------------------------------------------------------


def best(**of_kind: float) -> dict:
    return {name: scores(of_kind.get(name, NOTHING)) for name in KINDS}


def test_the_floor_is_the_zero_and_one_stays_one():
    assert related(scores(0.2, 1.0, 0.6), 0.2).tolist() == pytest.approx([0, 1, 0.5])


@given(COSINES, COSINES, st.floats(-0.5, 0.9))
def test_taking_the_floor_out_keeps_the_order(one, other, floor):
    low, high = related(scores(min(one, other), max(one, other)), floor).tolist()
    assert low <= high


def test_an_alternate_speaks_as_the_question_does():
    found = dense_evidence(best(question=0.25, alternate=0.75, answer=0.5, entry=0.5), 0.0)
    assert [float(found[name][0]) for name in ("question", "entry", "best")] == [0.75, 0.5, 0.75]


def test_the_nearest_text_of_any_kind_is_the_best():
    found = dense_evidence(best(question=0.25, answer=0.5, sentence=0.875, entry=0.5), 0.0)
    assert float(found["best"][0]) == 0.875


def test_what_has_no_question_is_spoken_for_by_its_nearest_text():
    found = dense_evidence(best(answer=0.5, entry=0.25), 0.0)
    assert float(found["question"][0]) == 0.5


# --- fusion and order ---------------------------------------------------------------------------------------------

EVIDENCE = st.integers(1, 6).flatmap(
    lambda count: st.fixed_dictionaries({name: st.lists(COSINES, min_size=count, max_size=count) for name in WEIGHTS})
)


@given(EVIDENCE)
def test_the_score_is_the_sum_of_evidence_by_weight(evidence):
    parts = contributions({name: scores(*values) for name, values in evidence.items()})
    count = len(evidence["best"])
    expected = [sum(WEIGHTS[name] * evidence[name][at] for name in WEIGHTS) for at in range(count)]
    assert fuse(parts).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_more_of_any_evidence_is_a_higher_score(name):
    evidence = {part: scores(0.5, 0.5) for part in WEIGHTS} | {name: scores(0.5, 0.625)}
    low, high = fuse(contributions(evidence)).tolist()
    assert high > low


def test_the_best_score_comes_first():
    assert order(scores(0.25, 1.0, 0.5), np.array([7, 8, 9])).tolist() == [1, 2, 0]


def test_ties_are_in_the_order_of_ordinals_wherever_they_stand():
    assert order(scores(0.5, 0.5, 0.5), np.array([9, 7, 8])).tolist() == [1, 2, 0]


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5]), max_size=20), st.randoms())
def test_order_is_that_of_sorting_by_score_and_then_ordinal(values, random):
    ordinals = random.sample(range(100), len(values))
    found = order(scores(*values), np.array(ordinals, np.int64)).tolist()
    assert found == sorted(range(len(values)), key=lambda at: (-values[at], ordinals[at]))
