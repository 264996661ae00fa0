"""The cache gives back what it was given, or nothing."""

import os
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from hashing import SPEC, HashingEncoder
from retriever.cache import KeptBytes, VectorCache

TEXTS = ["one", "two", "three"]
VECTORS = HashingEncoder().encode(TEXTS, "passage")


@pytest.fixture
def path(tmp_path):
    """A cache that holds TEXTS."""
    with VectorCache(tmp_path / "cache.sqlite", SPEC) as cache:
        cache.put(TEXTS, VECTORS)
    return tmp_path / "cache.sqlite"


def known(path, spec=SPEC, texts=TEXTS):
    with VectorCache(path, spec) as cache:
        return cache.get(texts)


def test_what_was_put_comes_back_bit_for_bit(path):
    found = known(path)
    assert np.array_equal(np.stack([found[text] for text in TEXTS]), VECTORS)


def test_what_was_not_put_is_not_known(path):
    assert set(known(path, texts=["one", "four"])) == {"one"}


def test_more_texts_than_a_statement_takes_come_back(tmp_path):
    texts = [f"text {n}" for n in range(1201)]
    with VectorCache(tmp_path / "cache.sqlite", SPEC) as cache:
        cache.put(texts, HashingEncoder().encode(texts, "passage"))
        assert set(cache.get(texts)) == set(texts)


def test_another_spec_knows_nothing(path):
    assert known(path, replace(SPEC, passage_prompt="passage: ")) == {}


def test_another_name_of_the_same_model_knows_all(path):
    assert set(known(path, replace(SPEC, model="elsewhere"))) == set(TEXTS)


def test_putting_again_replaces(path):
    with VectorCache(path, SPEC) as cache:
        cache.put(["one"], VECTORS[1:2])
        assert np.array_equal(cache.get(["one"])["one"], VECTORS[1])


@pytest.mark.parametrize("damaged", [VECTORS[0] * 2, VECTORS[0] * np.nan, VECTORS[0][:100], np.zeros(512, np.float32)])
def test_a_damaged_vector_is_not_known(path, damaged):
    with sqlite3.connect(path) as db:
        db.execute("UPDATE vectors SET vector = ? WHERE vector = ?", [damaged.tobytes(), VECTORS[0].tobytes()])
    db.close()
    assert set(known(path)) == {"two", "three"}


def test_a_file_that_is_no_database_is_made_anew(path):
    path.write_bytes(b"not a database at all" * 100)
    assert known(path) == {}


def test_a_database_with_damaged_pages_is_made_anew(path):
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 4096))
    assert known(path) == {}


def test_a_truncated_database_is_made_anew(path):
    os.truncate(path, 5000)
    assert known(path) == {}


def test_a_database_of_another_shape_is_made_anew(path):
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE vectors (something_else TEXT)")
    db.close()
    assert known(path) == {}


def test_a_small_cache_forgets_nothing(path):
    with VectorCache(path, SPEC) as cache:
        cache.keep_only(["one"])
    assert set(known(path)) == set(TEXTS)


def test_a_cache_many_times_what_is_used_keeps_only_that(tmp_path):
    path, spec = tmp_path / "cache.sqlite", replace(SPEC, dimension=4)
    texts = [f"text {n}" for n in range(8100)]
    with VectorCache(path, spec) as cache:
        cache.put(texts, np.tile(np.array([1, 0, 0, 0], np.float32), (len(texts), 1)))
        cache.keep_only(["text 7", "text 8"])
    assert set(known(path, spec, texts)) == {"text 7", "text 8"}


@pytest.fixture
def readings(tmp_path):
    """A file that holds one thing."""
    with KeptBytes(tmp_path / "readings.sqlite") as kept:
        kept[b"key"] = b"value" * 1000
    return tmp_path / "readings.sqlite"


def test_kept_bytes_come_back(readings):
    with KeptBytes(readings) as kept:
        assert dict(kept) == {b"key": b"value" * 1000}


def test_removed_bytes_are_gone(readings):
    with KeptBytes(readings) as kept:
        del kept[b"key"]
        assert b"key" not in kept


@pytest.mark.parametrize("damaged", [b"valve", None, 7, "text"])
def test_damaged_bytes_are_not_found(readings, damaged):
    with sqlite3.connect(readings) as db:
        db.execute("UPDATE kept SET bytes = ?", [damaged])
    db.close()
    with KeptBytes(readings) as kept:
        assert b"key" not in kept


def test_bytes_under_another_key_are_not_found(readings):
    with sqlite3.connect(readings) as db:
        db.execute("UPDATE kept SET key = ?", [b"other"])
    db.close()
    with KeptBytes(readings) as kept:
        assert b"other" not in kept


def test_a_file_of_bytes_that_is_no_database_is_made_anew(readings):
    readings.write_bytes(b"not a database at all" * 100)
    with KeptBytes(readings) as kept:
        assert len(kept) == 0


def test_one_flipped_bit_of_a_vector_is_noticed(path):
    flipped = bytearray(VECTORS[0].tobytes())
    flipped[0] ^= 1
    with sqlite3.connect(path) as db:
        db.execute("UPDATE vectors SET vector = ? WHERE vector = ?", [bytes(flipped), VECTORS[0].tobytes()])
    db.close()
    assert set(known(path)) == {"two", "three"}


def test_a_cache_found_damaged_while_it_is_written_is_made_anew(tmp_path):
    texts = [f"text {n}" for n in range(200)]
    vectors = HashingEncoder().encode(texts, "passage")
    path = tmp_path / "cache.sqlite"
    with VectorCache(path, SPEC) as cache:
        cache.put(texts, vectors)
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))
    with VectorCache(path, SPEC) as cache:
        cache.put(texts, vectors)
        assert set(cache.get(texts)) == set(texts)
