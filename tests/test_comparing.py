"""Entries are compared row by row, and the nearest of their texts found: alike by compiled code and without."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever import comparing
from retriever.comparing import Comparing, nearest_of
from retriever.compiled import why_not
from retriever.types import EXACTLY
from retriever.vectors import open_vectors, prepare_vectors

COSINES = st.floats(-1, 1, width=32)
ROWS = st.lists(COSINES, max_size=4)
# Entries, each the cosines of its questions and alternates, of the parts of its answer, and of all of it.
ENTRIES = st.lists(st.tuples(ROWS, ROWS, COSINES), min_size=1, max_size=8)

WIDTH = 128
# How many rows each entry has, and how many of them ask: from a page text of one row on.
COUNTS, ASKING = np.array([1, 2, 9, 30, 3, 1, 7]), np.array([0, 1, 4, 1, 0, 0, 7 - 1])
STARTS = np.cumsum([0, *COUNTS])


@given(ENTRIES)
def test_an_entry_has_the_highest_cosine_of_its_rows(entries):
    cosines = np.array([one for asking, answer, whole in entries for one in (*asking, *answer, whole)], np.float32)
    end = np.cumsum([len(asking) + len(answer) + 1 for asking, answer, _ in entries])
    asking = np.array([len(asking) for asking, *_ in entries])
    question, entry, best = nearest_of(cosines, np.array([0, *end[:-1]]), end, asking).tolist()
    assert best == [max(*asking, *answer, whole, -1) for asking, answer, whole in entries]
    assert entry == [whole for *_, whole in entries]
    # What has no question is spoken for by its nearest text.
    assert question == [max(asking, default=most) for (asking, *_), most in zip(entries, best, strict=True)]


@pytest.fixture(scope="module")
def vectors():
    made = np.random.default_rng(0).standard_normal((int(STARTS[-1]), WIDTH)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def store(tmp_path_factory, vectors):
    folder = tmp_path_factory.mktemp("vectors")
    prepare_vectors(vectors, np.ones(len(vectors), np.bool_)).write(folder)
    return open_vectors(folder, EXACTLY)


def without_compiled(monkeypatch, store, starts=STARTS, asking=ASKING):
    monkeypatch.setattr(comparing, "library_for", lambda _width: None)
    return Comparing(store, starts, asking)


@pytest.mark.parametrize("chosen", [[], [0], [5], [6, 2], [2, 0, 6, 3], [0, 1, 2, 3, 4, 5, 6]])
def test_the_rows_of_some_entries_are_compared_alike_by_compiled_code_and_without(monkeypatch, store, vectors, chosen):
    ordinals = np.array(chosen, np.int64)
    asked = [(vectors[7] + vectors[20]) / 2, vectors[0], -vectors[3]]
    compiled, plain = Comparing(store, STARTS, ASKING), without_compiled(monkeypatch, store)
    assert (compiled._compiled is not None) == (why_not() is None)
    assert plain._compiled is None
    for query in asked if chosen else []:
        for compare in (compiled.compare, plain.compare):
            found = compare(query, ordinals)
            spans = [list(range(STARTS[ordinal], STARTS[ordinal + 1])) for ordinal in chosen]
            assert [(end - begin) for begin, end in zip(found.begin, found.end, strict=True)] == [*map(len, spans)]
            assert found.cosines == pytest.approx(vectors[np.concatenate(spans)] @ query, abs=1e-6)
            nearest = nearest_of(found.cosines, found.begin, found.end, ASKING[ordinals])
            assert np.array_equal(found.nearest, nearest)
    if not chosen:
        assert compiled.compare(vectors[0], ordinals).nearest.shape == (3, 0)


def test_vectors_in_half_precision_and_of_other_widths_are_compared_by_the_store(tmp_path, vectors):
    everything = np.arange(len(COUNTS))
    for width, most_exact in ((WIDTH, 1), (100, 1000)):
        folder = tmp_path / str(width)
        folder.mkdir()
        cut = np.ascontiguousarray(vectors[:, :width])
        prepared = prepare_vectors(cut, np.ones(len(cut), np.bool_), most_exact)
        prepared.write(folder)
        found = Comparing(open_vectors(folder, prepared.nearest), STARTS, ASKING).compare(cut[4], everything)
        assert found.cosines == pytest.approx(cut @ cut[4], abs=1e-3)


def test_several_threads_may_compare_at_once(store, vectors):
    compare = Comparing(store, STARTS, ASKING).compare
    everything = np.arange(len(COUNTS))
    alone = [compare(query, everything).cosines for query in vectors]
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(list(pool.map(lambda query: compare(query, everything).cosines, vectors)), alone)
