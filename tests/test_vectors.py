"""The store is exact: what numpy finds one by one, it finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.vectors import FlatStore, open_vectors, write_vectors

DIMENSION = 24


def unit_vectors(rows: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[np.ndarray, FlatStore]:
    vectors, path = unit_vectors(300), tmp_path_factory.mktemp("vectors") / "vectors.faiss"
    write_vectors(vectors, path)
    return vectors, open_vectors(path)


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0, 1) | st.none())
def test_a_search_finds_what_brute_force_finds(written, seed, k, share):
    vectors, store = written
    query = unit_vectors(1, seed)[0]
    allowed = None if share is None else np.random.default_rng(seed).random(len(vectors)) < share
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    expected = sorted(rows, key=lambda row: -float(vectors[row] @ query))[:k]
    found = store.search(query, k, allowed)
    assert found.rows.tolist() == expected
    assert found.scores == pytest.approx(vectors[expected] @ query, abs=1e-6)


def test_more_than_there_is_gives_all_there_is(written):
    assert len(written[1].search(written[0][0], 10_000).rows) == 300


def test_an_empty_mask_gives_nothing(written):
    assert len(written[1].search(written[0][0], 5, np.zeros(300, dtype=np.bool_)).rows) == 0


def test_no_k_gives_nothing(written):
    assert len(written[1].search(written[0][0], 0).rows) == 0


@pytest.mark.parametrize("row", [0, 7, 8, 299])
def test_a_mask_allows_the_very_row_it_names(written, row):
    allowed = np.zeros(300, dtype=np.bool_)
    allowed[row] = True
    assert written[1].search(written[0][0], 5, allowed).rows.tolist() == [row]


def test_equal_vectors_have_equal_scores_wherever_they_stand(tmp_path):
    vector, query = unit_vectors(1, 3), unit_vectors(1, 4)[0]
    write_vectors(np.repeat(vector, 13, axis=0), tmp_path / "v")
    store = open_vectors(tmp_path / "v")
    filtered = store.search(query, 13, np.arange(13) % 3 > 0)
    assert len({*store.search(query, 13).scores.tolist(), *filtered.scores.tolist()}) == 1


def test_get_returns_the_vectors_as_they_were_written(written):
    rows = np.array([5, 0, 299])
    assert np.array_equal(written[1].get(rows), written[0][rows])


def test_rows_compare_as_a_search_scores_them(written):
    found = written[1].search(written[0][3], 300)
    assert np.array_equal(written[1].compare(written[0][3], found.rows), found.scores)


def test_no_rows_compare_to_nothing(written):
    assert written[1].compare(written[0][3], np.zeros(0, np.int64)).shape == (0,)


def test_the_length_is_the_number_of_rows(written):
    assert len(written[1]) == 300
