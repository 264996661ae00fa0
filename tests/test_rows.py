"""Vectors as bytes say about what they say whole, of any width that is taken, and no other is."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from retriever import compiled, doctor, rows


def byte_rows(vectors, ends=None):
    """Return `vectors` as bytes, each of an owner of its own unless `ends` say otherwise."""
    places = np.arange(len(vectors))
    return rows.byte_rows(places, places + 1 if ends is None else ends, vectors.__getitem__)


needs_them = pytest.mark.skipif(
    byte_rows(np.zeros((1, 64), np.float32)) is None, reason="vectors are not compared as bytes here"
)


def unit(count, width, seed=0):
    vectors = np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@needs_them
@pytest.mark.parametrize("width", [64, 384, 768, 8192])
def test_products_are_those_of_the_vectors_but_for_rounding(width):
    vectors = unit(300, width)
    laid = byte_rows(vectors)
    for query in (*vectors[:20], *unit(20, width, 1), -vectors[3]):
        assert laid.best(query) == pytest.approx(vectors @ query, abs=0.01)


@needs_them
def test_an_owner_has_the_highest_product_of_its_rows():
    vectors, ends = unit(300, 64), np.array([1, 4, 200, 300])
    products = byte_rows(vectors).best(vectors[5])
    best = byte_rows(vectors, ends).best(vectors[5])
    assert best.tolist() == [products[:1].max(), products[1:4].max(), products[4:200].max(), products[200:].max()]


@needs_them
def test_loud_numbers_and_none_at_all_are_taken():
    vectors = np.zeros((3, 64), np.float32)
    vectors[1, 7], vectors[2] = 1e6, -1
    assert byte_rows(vectors).best(vectors[1]).tolist() == [0, pytest.approx(1e12), pytest.approx(-1e6, rel=0.01)]
    assert byte_rows(vectors).best(vectors[0]).tolist() == [0, 0, 0]


@needs_them
def test_no_vectors_are_no_products():
    assert byte_rows(np.zeros((0, 64), np.float32)).best(np.zeros(64, np.float32)).shape == (0,)


@needs_them
def test_several_threads_may_compare_at_once():
    vectors = unit(500, 384)
    laid = byte_rows(vectors)
    with ThreadPoolExecutor(4) as pool:
        products = list(pool.map(laid.best, vectors[:100]))
    assert all(np.array_equal(found, laid.best(query)) for found, query in zip(products, vectors, strict=False))


@pytest.mark.parametrize("width", [1, 63, 100, 8256])
def test_other_widths_are_not_taken(width):
    assert byte_rows(np.zeros((2, width), np.float32)) is None


def test_without_a_compiled_file_none_is_taken(monkeypatch):
    monkeypatch.setattr(compiled, "EXTENSION_SUFFIXES", [".none"])
    compiled.library.cache_clear()
    try:
        assert byte_rows(np.zeros((1, 64), np.float32)) is None
        (check,) = doctor._passages()
        assert check.found.endswith("no C compiler was found when retriever was installed")
    finally:
        compiled.library.cache_clear()
