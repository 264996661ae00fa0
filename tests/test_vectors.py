"""The store is exact: what numpy finds one by one, it finds."""

import gc
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.types import Allowed, Nearest
from retriever.vectors import FlatStore, RoughStore, open_vectors, prepare_vectors

DIMENSION = 24


def unit_vectors(rows: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def written_in(folder, vectors, **options):
    """Write vectors, all of them to be searched, and open what was written."""
    prepared = prepare_vectors(vectors, np.ones(len(vectors), np.bool_), **options)
    prepared.write(folder)
    return open_vectors(folder, prepared.nearest)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> tuple[np.ndarray, FlatStore]:
    vectors, folder = unit_vectors(300), tmp_path_factory.mktemp("vectors")
    return vectors, written_in(folder, vectors)


@given(st.integers(0, 2**32), st.integers(1, 400), st.floats(0, 1) | st.none())
def test_a_search_finds_what_brute_force_finds(written, seed, k, share):
    vectors, store = written
    query = unit_vectors(1, seed)[0]
    allowed = None if share is None else np.random.default_rng(seed).random(len(vectors)) < share
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    expected = sorted(rows, key=lambda row: -float(vectors[row] @ query))[:k]
    found = store.search(query, k, None if allowed is None else Allowed.of(allowed))
    assert found.rows.tolist() == expected
    assert found.scores == pytest.approx(vectors[expected] @ query, abs=1e-6)


def test_more_than_there_is_gives_all_there_is(written):
    assert len(written[1].search(written[0][0], 10_000).rows) == 300


def test_an_empty_mask_gives_nothing(written):
    assert len(written[1].search(written[0][0], 5, Allowed.of(np.zeros(300, dtype=np.bool_))).rows) == 0


def test_no_k_gives_nothing(written):
    assert len(written[1].search(written[0][0], 0).rows) == 0


@pytest.mark.parametrize("row", [0, 7, 8, 299])
def test_a_mask_allows_the_very_row_it_names(written, row):
    allowed = np.zeros(300, dtype=np.bool_)
    allowed[row] = True
    assert written[1].search(written[0][0], 5, Allowed.of(allowed)).rows.tolist() == [row]


def test_equal_vectors_have_equal_scores_wherever_they_stand(tmp_path):
    vector, query = unit_vectors(1, 3), unit_vectors(1, 4)[0]
    store = written_in(tmp_path, np.repeat(vector, 13, axis=0))
    filtered = store.search(query, 13, Allowed.of(np.arange(13) % 3 > 0))
    assert len({*store.search(query, 13).scores.tolist(), *filtered.scores.tolist()}) == 1


def test_get_returns_the_vectors_as_they_were_written(written):
    rows = np.array([5, 0, 299])
    assert np.array_equal(written[1].get(rows), written[0][rows])


def test_rows_compare_as_a_search_scores_them(written):
    found = written[1].search(written[0][3], 300)
    assert np.array_equal(written[1].compare(written[0][3], found.rows), found.scores)


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_rows_laid_together_compare_as_where_they_lie(written, count):
    rows = np.random.default_rng(count).permutation(300)[:count]
    together = written[1].beside(rows)
    for query in written[0][:5]:
        assert together(query).tolist() == written[1].compare(query, rows).tolist()


def test_no_rows_compare_to_nothing(written):
    assert written[1].compare(written[0][3], np.zeros(0, np.int64)).shape == (0,)


def test_the_length_is_the_number_of_rows(written):
    assert len(written[1]) == 300


# --- many vectors -------------------------------------------------------------------------------------------------

MANY, GROUPS = 6000, 40


@pytest.fixture(scope="module", params=["half", "lists"])
def many(request, tmp_path_factory) -> tuple[np.ndarray, RoughStore, np.ndarray]:
    """6,000 vectors in groups, of which two of three are searched."""
    random, centres = np.random.default_rng(2), unit_vectors(GROUPS, 9)
    vectors = centres[random.integers(0, GROUPS, MANY)] + random.normal(size=(MANY, DIMENSION)).astype(np.float32) / 6
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    searched, folder = np.arange(MANY) % 3 > 0, tmp_path_factory.mktemp("many")
    prepared = prepare_vectors(vectors, searched, most_exact=5000, most_half=4000 if request.param == "half" else 3999)
    assert prepared.nearest.kind == request.param
    prepared.write(folder)
    return vectors, open_vectors(folder, prepared.nearest), searched


def recall(many, allowed: np.ndarray | None) -> float:
    vectors, store, searched = many
    rows = np.flatnonzero(searched if allowed is None else searched & allowed)
    shares = []
    for query in vectors[:60] + np.roll(vectors[:60], 1, axis=0) / 2:
        best = rows[np.argsort(-(vectors[rows] @ query))[:10]]
        found = store.search(query / np.linalg.norm(query), 10, None if allowed is None else Allowed.of(allowed)).rows
        shares.append(len(np.intersect1d(best, found)) / len(best))
    return float(np.mean(shares))


def test_a_rough_index_finds_nearly_what_comparing_all_finds(many):
    assert recall(many, None) >= 0.98


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_a_rough_index_finds_nearly_all_that_a_mask_allows(many, share):
    assert recall(many, np.random.default_rng(3).random(MANY) < share) >= 0.95


def test_only_rows_to_be_searched_are_found_and_the_others_are_there(many):
    vectors, store, searched = many
    assert searched[store.search(vectors[0], 400).rows].all()
    assert len(store) == MANY
    assert store.get(np.arange(MANY)) == pytest.approx(vectors, abs=1e-3)


@pytest.mark.parametrize("k", [1, 37, 5000])
def test_a_rough_index_gives_k_rows_where_a_mask_allows_as_many(many, k):
    vectors, store, searched = many
    allowed = np.arange(MANY) % 50 == 1
    found = store.search(vectors[8], k, Allowed.of(allowed))
    assert len(found.rows) == min(k, np.count_nonzero(allowed & searched)) == len(set(found.rows.tolist()))
    assert (allowed & searched)[found.rows].all()


def test_the_scores_of_a_rough_index_are_those_of_the_vectors_best_first(many):
    vectors, store, _ = many
    found = store.search(vectors[5], 50)
    assert found.scores == pytest.approx(vectors[found.rows] @ vectors[5], abs=1e-3)
    assert np.array_equal(store.compare(vectors[5], found.rows), found.scores)
    assert found.scores.tolist() == sorted(found.scores.tolist(), reverse=True)


def test_a_rough_index_finds_nothing_where_nothing_is_asked_for_or_allowed(many):
    assert len(many[1].search(many[0][0], 0).rows) == 0
    assert len(many[1].search(many[0][0], 5, Allowed.of(np.zeros(MANY, np.bool_))).rows) == 0


def test_rows_beside_are_compared_as_they_are_read_of_many_too(many):
    vectors, store, _ = many
    rows = np.array([5, 1, 77])
    assert store.beside(rows)(vectors[3]).tolist() == store.compare(vectors[3], rows).tolist()


def test_few_vectors_are_compared_as_they_are_more_in_half_precision_and_many_are_put_into_lists(many):
    vectors = many[0]
    everything = np.ones(len(vectors), np.bool_)
    assert prepare_vectors(vectors, everything, most_exact=len(vectors)).nearest == Nearest()
    half = prepare_vectors(vectors, everything, most_exact=len(vectors) - 1, most_half=len(vectors))
    assert half.nearest.kind == "half"
    lists = prepare_vectors(vectors, everything, most_exact=len(vectors) - 1, most_half=len(vectors) - 1)
    assert lists.nearest.kind == "lists"


def test_the_same_vectors_give_the_same_files(many, tmp_path):
    vectors, _, searched = many
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        prepare_vectors(vectors, searched, most_exact=5000, most_half=3000).write(tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["nearest.faiss", "vectors.npy"]


def test_what_finds_the_nearest_in_half_precision_holds_the_very_numbers_of_the_vectors(tmp_path):
    vectors, searched = unit_vectors(300), np.arange(300) % 3 > 0
    prepare_vectors(vectors, searched, most_exact=0).write(tmp_path)
    kept, found = np.load(tmp_path / "vectors.npy"), faiss.read_index(str(tmp_path / "nearest.faiss"))
    codes = faiss.vector_to_array(faiss.downcast_index(found.index).codes).view(np.float16)
    assert kept.dtype == np.float16
    assert np.array_equal(codes.reshape(-1, DIMENSION), kept[searched])
    assert faiss.vector_to_array(found.id_map).tolist() == np.flatnonzero(searched).tolist()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no disk that is always full")
@pytest.mark.parametrize("name", ["vectors.faiss", "nearest.faiss"])
def test_a_disk_that_is_full_is_an_error(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    few = {} if name == "vectors.faiss" else {"most_exact": 0}
    with pytest.raises(OSError, match="No space left"):
        prepare_vectors(unit_vectors(300), np.ones(300, np.bool_), **few).write(tmp_path)


def test_a_store_that_is_read_in_place_lives_as_long_as_what_it_reads(written):
    vectors, store = written
    gc.collect()
    assert store.get(np.arange(300)) == pytest.approx(vectors)
    assert store._whole.ctypes.data % 64 == -len(store._whole) % 64
