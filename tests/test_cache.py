"""The cache gives back what it was given, or nothing."""

import os
import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from hashing import SPEC, HashingEncoder
from retriever.cache import Borrowed, KeptBytes, VectorCache, keys_of
from retriever.errors import PublishFailed

TEXTS = ["one", "two", "three"]
VECTORS = HashingEncoder().encode(TEXTS, "passage")
MORE = ["four", "five"]


@pytest.fixture
def path(tmp_path):
    """A cache that holds TEXTS, and MORE put later."""
    with VectorCache(tmp_path / "vectors.cache", SPEC) as cache:
        cache.put(keys_of(TEXTS), VECTORS)
        cache.put(keys_of(MORE), HashingEncoder().encode(MORE, "passage"))
    return tmp_path / "vectors.cache"


def known(path, spec=SPEC, texts=(*TEXTS, *MORE)) -> list[str]:
    """Return which of `texts` are known, once their vectors are right."""
    with VectorCache(path, spec) as cache:
        found, vectors = cache.get(keys_of(texts))
    expected = HashingEncoder().encode(list(texts), "passage")
    assert np.array_equal(vectors, expected * found[:, None])
    return [text for text, is_known in zip(texts, found, strict=True) if is_known]


def test_what_was_put_comes_back_bit_for_bit_in_any_order_and_as_often_as_asked(path):
    asked = ["five", "one", "three", "one", "four"]
    assert known(path, texts=asked) == asked


def test_what_was_not_put_is_not_known(path):
    assert known(path, texts=["one", "six"]) == ["one"]


def test_an_empty_cache_knows_nothing(tmp_path):
    assert known(tmp_path / "new.cache") == []


def test_another_spec_knows_nothing(path):
    assert known(path, replace(SPEC, passage_prompt="passage: ")) == []


def test_two_specs_are_kept_side_by_side(path):
    other = replace(SPEC, precision="int8")
    with VectorCache(path, other) as cache:
        cache.put(keys_of(["one"]), VECTORS[:1])
    assert known(path, other) == ["one"]
    assert known(path) == TEXTS + MORE


def test_another_name_of_the_same_model_knows_all(path):
    assert known(path, replace(SPEC, model="elsewhere")) == TEXTS + MORE


def test_putting_again_replaces(path):
    with VectorCache(path, SPEC) as cache:
        cache.put(keys_of(["one"]), VECTORS[1:2])
        assert np.array_equal(cache.get(keys_of(["one"]))[1], VECTORS[1:2])
    with VectorCache(path, SPEC) as cache:
        assert np.array_equal(cache.get(keys_of(["one"]))[1], VECTORS[1:2])


# What comes first in a part: its head, the keys, the vectors.
HEAD, KEYS = 56, 3 * 16


@pytest.mark.parametrize("at", [HEAD + 3, HEAD + KEYS, HEAD + KEYS + 700, HEAD + KEYS + 3 * 2048 - 1])
def test_of_a_damaged_part_nothing_is_known_and_all_of_the_others(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    assert known(path) == MORE


@pytest.mark.parametrize("at", [0, 8, 40, 44, 52])
def test_behind_a_damaged_head_nothing_is_known(path, at):
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    assert known(path) == []


@pytest.mark.parametrize("content", [b"", b"short", b"not a cache at all" * 1000, b"vectors1" * 1000])
def test_a_file_that_is_no_cache_is_made_anew(path, content):
    path.write_bytes(content)
    assert known(path) == []
    with VectorCache(path, SPEC) as cache:
        cache.put(keys_of(TEXTS), VECTORS)
    assert known(path) == TEXTS


@pytest.mark.parametrize("cut", [1, 2000, 2 * 2048 + 2 * 16 + 55])
def test_what_was_left_unfinished_at_the_end_is_written_over(path, cut):
    os.truncate(path, path.stat().st_size - cut)
    assert known(path) == TEXTS
    with VectorCache(path, SPEC) as cache:
        cache.put(keys_of(["six"]), HashingEncoder().encode(["six"], "passage"))
    assert known(path, texts=[*TEXTS, *MORE, "six"]) == [*TEXTS, "six"]


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(PublishFailed, match=r"vectors\.cache"):
        VectorCache(tmp_path / "nowhere" / "vectors.cache", SPEC)


def test_a_small_cache_forgets_nothing(path):
    with VectorCache(path, SPEC) as cache:
        cache.keep_only(keys_of(["one"]))
    assert known(path) == TEXTS + MORE


def test_a_cache_many_times_what_is_used_keeps_only_that(tmp_path):
    path, spec = tmp_path / "vectors.cache", replace(SPEC, dimension=4)
    texts, vectors = [f"text {n}" for n in range(8100)], np.random.default_rng(0).random((8100, 4), np.float32)
    with VectorCache(path, spec) as cache:
        cache.put(keys_of(texts), vectors)
        large = path.stat().st_size
        cache.keep_only(keys_of(["text 8", "text 7", "text 8"]))
        assert cache.get(keys_of(["text 7", "text 9"]))[0].tolist() == [True, False]
    with VectorCache(path, spec) as cache:
        found, kept = cache.get(keys_of(texts))
    assert np.flatnonzero(found).tolist() == [7, 8]
    assert np.array_equal(kept[7:9], vectors[7:9])
    assert path.stat().st_size < large / 100
    assert [path.name] == [file.name for file in tmp_path.iterdir()]


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


def test_a_file_of_bytes_found_damaged_while_it_is_written_is_made_anew(tmp_path):
    path, keys = tmp_path / "readings.sqlite", [b"key %d" % n for n in range(200)]
    with KeptBytes(path) as kept:
        for key in keys:
            kept[key] = b"value" * 100
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(os.urandom(path.stat().st_size - 8192))
    with KeptBytes(path) as kept:
        for key in keys:
            kept[key] = b"value" * 100
        assert set(kept) == set(keys)


# --- to look at only ----------------------------------------------------------------------------------------------


def test_borrowed_bytes_are_those_that_are_kept(readings):
    with KeptBytes(readings) as kept, Borrowed(readings) as borrowed:
        kept[b"one"] = b"first"
        assert borrowed[b"one"] == b"first"
        assert b"two" not in borrowed


def test_nothing_is_written_to_what_is_borrowed(readings):
    with KeptBytes(readings) as kept:
        kept[b"one"] = b"first"
    before = readings.read_bytes()
    with Borrowed(readings) as borrowed:
        borrowed[b"two"] = b"second"
        assert (borrowed[b"two"], list(borrowed)) == (b"second", [b"two"])
        del borrowed[b"two"]
        assert b"two" not in borrowed
    assert readings.read_bytes() == before


def test_where_there_is_nothing_to_borrow_nothing_is_made(tmp_path):
    with Borrowed(tmp_path / "readings.sqlite") as borrowed:
        assert b"one" not in borrowed
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_read_is_borrowed_by_nobody_and_left_as_it_is(readings):
    readings.write_bytes(b"no database" * 100)
    with Borrowed(readings) as borrowed:
        assert b"one" not in borrowed
    assert readings.read_bytes() == b"no database" * 100
