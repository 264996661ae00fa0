"""Rows to entries: the best row speaks for its entry, and ties break by entry."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retriever.ranking import Ranked, best_by_entry, is_settled
from retriever.types import Candidates


def candidates(*scored: tuple[int, float]) -> Candidates:
    rows, scores = zip(*scored, strict=True) if scored else ((), ())
    return Candidates(np.array(rows, np.int64), np.array(scores, np.float32))


OWNERS = np.array([0, 0, 1, 2, 2])


def test_an_entry_scores_as_its_best_row():
    assert best_by_entry(candidates((3, 0.75), (1, 0.5), (0, 0.25)), OWNERS) == [Ranked(2, 3, 0.75), Ranked(0, 1, 0.5)]


def test_ties_break_by_entry_whatever_their_order():
    assert [r.ordinal for r in best_by_entry(candidates((3, 0.5), (2, 0.5), (0, 0.5)), OWNERS)] == [0, 1, 2]


def test_ties_inside_an_entry_break_by_row():
    assert best_by_entry(candidates((4, 0.5), (3, 0.5)), OWNERS)[0].row == 3


def test_no_rows_are_no_entries():
    assert best_by_entry(candidates(), OWNERS) == []


def test_fewer_entries_than_wanted_are_not_settled():
    found = candidates((0, 0.5), (1, 0.25))
    assert not is_settled(found, best_by_entry(found, OWNERS), 2)


def test_a_tie_with_the_last_row_seen_is_not_settled():
    found = candidates((0, 0.5), (2, 0.25))
    assert not is_settled(found, best_by_entry(found, OWNERS), 2)


def test_a_worse_last_row_settles():
    found = candidates((0, 0.5), (2, 0.5), (3, 0.25))
    assert is_settled(found, best_by_entry(found, OWNERS), 2)


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0.0, 0.25, 0.5, 1.0])), unique_by=lambda pair: pair[0]))
def test_ranking_is_the_maximum_by_entry(scored):
    best: dict[int, float] = {}
    for row, score in scored:
        best[int(OWNERS[row])] = max(score, best.get(int(OWNERS[row]), -1))
    ranked = best_by_entry(candidates(*sorted(scored, key=lambda pair: -pair[1])), OWNERS)
    assert [(r.ordinal, r.score) for r in ranked] == sorted(best.items(), key=lambda item: (-item[1], item[0]))
