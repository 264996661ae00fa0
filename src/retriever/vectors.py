"""Unit vectors by row, searched by inner product: exactly while that is cheap, else through a rough index first.

Both stores give the k best rows of any mask. The exact one is the measure of the other, whose probes are set at build
so that it finds what the exact one finds. The only module that knows FAISS, whose files carry no checksum and are not
safe to open from a stranger: the snapshot's digests are checked first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from retriever.arrays import Read, open_array, open_bytes
from retriever.types import EXACTLY, Allowed, Candidates, Mask, Nearest, Rows, Vectors, VectorStore

# One query gains nothing from two threads and loses much on a busy machine. It holds for the thread that sets it only,
# so every call does.
_THREADS = 1

EXACT, ROUGH, KEPT = "vectors.faiss", "nearest.faiss", "vectors.npy"
"""The exact store's one file; or the rough index, and the vectors themselves."""

# Comparing so many of 384 numbers takes 4.5 ms on one thread: rows of any kind as they are, or rows in half precision.
# Lists take less, and some seconds to make (docs/scale.md).
MOST_EXACT, MOST_HALF = 50_000, 100_000
_BLOCK = 65_536


class FlatStore:
    """All vectors in memory, compared one by one: exact, and the measure of any other store.

    `whole` is the memory that FAISS reads them from, where they are not its own: it lives as long as they are read.
    """

    def __init__(self, index: faiss.Index, whole: NDArray[np.uint8] | None = None) -> None:
        self._index = index
        self._whole = whole

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, query: Vectors, k: int, allowed: Allowed | None = None) -> Candidates:
        """Return the k best rows (fewer where fewer are allowed) for one query of shape (dimension,), best first."""
        faiss.omp_set_num_threads(_THREADS)
        k = min(k, len(self))
        if k == 0:
            return _NONE
        params = None if allowed is None else faiss.SearchParameters(sel=_selector(allowed))  # type: ignore[call-arg]
        scores, rows = self._index.search(query.reshape(1, -1), k, params=params)
        found = rows[0] >= 0
        return Candidates(rows[0][found], scores[0][found])

    def get(self, rows: Rows) -> Vectors:
        """Return the vectors of `rows`, shape (len(rows), dimension)."""
        faiss.omp_set_num_threads(_THREADS)
        vectors: Vectors = self._index.reconstruct_batch(np.asarray(rows, dtype=np.int64))
        return vectors

    def compare(self, query: Vectors, rows: Rows) -> NDArray[np.float32]:
        """Return the inner product of one query of shape (dimension,) with each of `rows`, as `search` scores them.

        Read where they lie, on one thread: numpy would copy the rows, and its product wakes a thread on every core.
        """
        faiss.omp_set_num_threads(_THREADS)
        query, rows = np.ascontiguousarray(query, np.float32), np.ascontiguousarray(rows, np.int64)
        scores = np.empty(len(rows), np.float32)
        faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
            faiss.swig_ptr(scores),
            faiss.swig_ptr(query),
            self._index.get_xb(),  # type: ignore[attr-defined]
            faiss.swig_ptr(rows),
            self._index.d,
            1,
            len(rows),
        )
        return scores

    def beside(self, rows: Rows) -> Callable[[Vectors], NDArray[np.float32]]:
        """Return what compares a query with `rows`, laid side by side: two thirds of the time, the same numbers."""
        vectors = self.get(rows)
        return lambda query: _products(vectors, query)

    @property
    def laid(self) -> Vectors | None:
        """All vectors, shape (rows, dimension), where FAISS has them: no longer than this store."""
        shape = len(self), self._index.d
        whole = faiss.rev_swig_ptr(self._index.get_xb(), shape[0] * shape[1])  # type: ignore[attr-defined]
        return np.asarray(whole, np.float32).reshape(shape)


class RoughStore:
    """Vectors in half precision, mapped where they are many, and a rough index that finds the nearest of them.

    What the index finds is compared once more by the vectors themselves, so scores are those of `get`.
    """

    def __init__(self, index: faiss.Index, vectors: NDArray[np.float16], nearest: Nearest) -> None:
        self._index = index
        self._vectors = vectors
        self._nearest = nearest

    def __len__(self) -> int:
        return len(self._vectors)

    def search(self, query: Vectors, k: int, allowed: Allowed | None = None) -> Candidates:
        """Return about the k best rows (fewer where fewer are allowed) for one query of shape (dimension,).

        Only rows in the index are found. Under a mask more lists are read, and all of them rather than find too few.
        """
        indexed = int(self._index.ntotal)
        k = min(k, indexed if allowed is None else min(indexed, allowed.count))
        if k == 0:
            return _NONE
        share = 1.0 if allowed is None else allowed.count / len(self)
        rows = self._near(query, k, allowed, int(self._nearest.probes / share))
        if len(rows) < k and self._nearest.kind == "lists":
            rows = self._near(query, k, allowed, self._nearest.lists)
        scores = self.compare(query, rows)
        best = np.lexsort((rows, -scores))[:k]
        return Candidates(rows[best], scores[best])

    def _near(self, query: Vectors, k: int, allowed: Allowed | None, probes: int) -> Rows:
        faiss.omp_set_num_threads(_THREADS)
        given: dict[str, Any] = {} if allowed is None else {"sel": _selector(allowed)}
        params: Any = faiss.SearchParameters(**given)
        if self._nearest.kind == "lists":
            params = faiss.SearchParametersIVF(nprobe=min(probes, self._nearest.lists), **given)  # type: ignore[call-arg]
        _, rows = self._index.search(query.reshape(1, -1), max(k, _COMPARED), params=params)
        found: Rows = rows[0][rows[0] >= 0]
        return found

    def get(self, rows: Rows) -> Vectors:
        """Return the vectors of `rows`, shape (len(rows), dimension), as half precision holds them."""
        return self._vectors[rows].astype(np.float32)

    def compare(self, query: Vectors, rows: Rows) -> NDArray[np.float32]:
        """Return the inner product of one query of shape (dimension,) with each of `rows`, on one thread."""
        return _products(self.get(rows), query)

    def beside(self, rows: Rows) -> Callable[[Vectors], NDArray[np.float32]]:
        """Return what compares a query with `rows`, read anew each time: where they are many, memory is wanted."""
        return partial(self.compare, rows=rows)

    @property
    def laid(self) -> Vectors | None:
        """Nothing: they are in half precision."""
        return None


def _products(vectors: Vectors, query: Vectors) -> NDArray[np.float32]:
    faiss.omp_set_num_threads(_THREADS)
    query = np.ascontiguousarray(query, np.float32)
    scores = np.empty(len(vectors), np.float32)
    given = (faiss.swig_ptr(array) for array in (scores, query, vectors))
    faiss.fvec_inner_products_ny(*given, len(query), len(vectors))  # type: ignore[attr-defined]
    return scores


_NONE = Candidates(np.zeros(0, np.int64), np.zeros(0, np.float32))
# As many by quarter bytes hold the ten best nearly always: docs/scale.md.
_COMPARED = 400


def _selector(allowed: Allowed) -> faiss.IDSelector:
    return faiss.IDSelectorBitmap(allowed.bits)  # type: ignore[call-arg, arg-type]


# --- a build ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """Vectors ready to be written, and how they will be searched: in half precision where that is not exactly."""

    nearest: Nearest
    vectors: NDArray[Any]
    rough: faiss.Index | None

    def write(self, folder: Path) -> None:
        """Write the files that `open_vectors` opens."""
        if self.rough is None:
            index = faiss.IndexFlatIP(self.vectors.shape[1])
            index.add(self.vectors)
            _write(index, folder / EXACT)
            return
        with ThreadPoolExecutor(1) as aside:
            written = aside.submit(_write, self.rough, folder / ROUGH)
            np.save(folder / KEPT, self.vectors)
            written.result()


def prepare_vectors(
    vectors: NDArray[Any], searched: Mask, most_exact: int = MOST_EXACT, most_half: int = MOST_HALF
) -> Prepared:
    """Choose how unit vectors of shape (rows, dimension), float32 or float16, are searched, and make ready for it.

    Up to `most_exact` rows are compared one by one. Of more, only those of `searched` are found, shape (rows,): up to
    `most_half` of them are compared in half precision, and more are put into lists. The same vectors give the same.
    """
    if len(vectors) <= most_exact:
        return Prepared(EXACTLY, vectors, None)
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    rows, dimension = np.flatnonzero(searched), vectors.shape[1]
    half = vectors.astype(np.float16, copy=False)
    if len(rows) <= most_half:
        kind = faiss.ScalarQuantizer.QT_fp16
        rough = faiss.IndexIDMap(faiss.IndexScalarQuantizer(dimension, kind, faiss.METRIC_INNER_PRODUCT))
        rough.add_sa_codes(half[rows].view(np.uint8), rows)
        return Prepared(Nearest("half"), half, rough)
    lists = _train(vectors, rows)
    for block in _blocks(rows):
        lists.add_with_ids(vectors[block].astype(np.float32, copy=False), block)
    return Prepared(_set_probes(lists, vectors, rows), half, lists)


def _train(vectors: NDArray[Any], rows: Rows) -> faiss.IndexIVF:
    """Return empty lists: the centres of near vectors, and how a vector becomes quarter bytes."""
    count, dimension = 2 ** round(np.log2(2 * np.sqrt(len(rows)))), vectors.shape[1]
    count = min(max(count, 64), _MOST_LISTS)
    rng = np.random.default_rng(0)
    sample = np.sort(rng.choice(rows, min(len(rows), count * _SAMPLES), replace=False))
    taught = vectors[sample].astype(np.float32)
    means = faiss.Kmeans(dimension, count, niter=10, seed=1, spherical=True, max_points_per_centroid=_SAMPLES)
    means.train(taught)
    centres = faiss.IndexFlatIP(dimension)
    centres.add(means.centroids)  # type: ignore[arg-type]
    parts = dimension // 2 if dimension % 2 == 0 else dimension
    lists = faiss.IndexIVFPQFastScan(centres, dimension, count, parts, 4, faiss.METRIC_INNER_PRODUCT)
    lists.train(taught)
    centres.this.disown()  # type: ignore[attr-defined]  # the lists own it from here, and free it
    lists.own_fields = True
    return lists


# More lists make a search no faster below ten million rows, and training slower: its time goes with their square.
_MOST_LISTS, _SAMPLES = 2048, 40


def _set_probes(lists: faiss.IndexIVF, vectors: NDArray[Any], rows: Rows) -> Nearest:
    """Return the fewest lists to read that give the recall wanted, and the recall of the ten best that they give."""
    asked = _asked(vectors, rows)
    best = _exact(asked, vectors, rows, 10)
    probes, recall = 4, 0.0
    while recall < _RECALL and probes < lists.nlist:
        probes = min(2 * probes, lists.nlist)
        store = RoughStore(lists, vectors, Nearest("lists", lists.nlist, probes))
        found = [store.search(query, 10).rows for query in asked]
        recall = float(np.mean([len(np.intersect1d(f, b)) / len(b) for f, b in zip(found, best, strict=True)]))
    return Nearest("lists", lists.nlist, probes, round(recall, 4))


# What is promised for real questions, which find a little more than these do: docs/scale.md.
_RECALL = 0.98


def _asked(vectors: NDArray[Any], rows: Rows) -> Vectors:
    """Return vectors like those of questions: near a passage, and drawn from it towards others."""
    rng = np.random.default_rng(1)
    some, others = (vectors[rng.choice(rows, _ASKED)].astype(np.float32) for _ in range(2))
    mixed = some + np.float32(_DRAWN) * others
    asked: Vectors = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return asked


_ASKED, _DRAWN = 256, 0.8


def _exact(asked: Vectors, vectors: NDArray[Any], rows: Rows, k: int) -> Rows:
    """Return the k best of `rows` for each vector of `asked`, shape (asked, k), by comparing all of them."""
    best, scores = np.zeros((len(asked), 0), np.int64), np.zeros((len(asked), 0), np.float32)
    for block in _blocks(rows):
        new = asked @ vectors[block].astype(np.float32).T
        near = np.argpartition(-new, min(k, len(block) - 1), axis=1)[:, :k]
        best = np.hstack([best, block[near]])
        scores = np.hstack([scores, np.take_along_axis(new, near, axis=1)])
        kept = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        best, scores = np.take_along_axis(best, kept, axis=1), np.take_along_axis(scores, kept, axis=1)
    return best


def _blocks(rows: Rows) -> Iterator[Rows]:
    for start in range(0, len(rows), _BLOCK):
        yield rows[start : start + _BLOCK]


def _write(index: faiss.Index, path: Path) -> None:
    # FAISS's own writer forgets an error at close: a disk that fills up at the last bytes would go unnoticed.
    with path.open("wb", buffering=0) as file:

        def write(block: bytes) -> None:
            rest = memoryview(block)
            while rest:
                rest = rest[file.write(rest) :]

        faiss.write_index(index, faiss.PyCallbackIOWriter(write, _WRITTEN_AT_ONCE))  # type: ignore[attr-defined]


_WRITTEN_AT_ONCE = 2**20


def open_vectors(folder: Path, nearest: Nearest, read: Read = open_bytes) -> VectorStore:
    """Open what `Prepared.write` wrote; its digests must have been checked."""
    if nearest.kind == "exact":
        whole = read(folder / EXACT)
        reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(whole), whole.size)  # type: ignore[attr-defined]
        return FlatStore(faiss.read_index(reader), whole)
    return RoughStore(faiss.read_index(str(folder / ROUGH)), open_array(folder / KEPT, read), nearest)
