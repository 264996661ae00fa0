"""Unit vectors by row in FAISS, searched exactly by inner product. The only module that knows FAISS.

FAISS files carry no checksum and are not safe to open from a stranger: the snapshot's digests are checked first.
"""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
from numpy.typing import NDArray

from retriever.types import Candidates, Mask, Rows, Vectors

# One query gains nothing from two threads and loses much on a busy machine. It holds for the thread that sets it only,
# so every call does.
_THREADS = 1


class FlatStore:
    """All vectors in memory, compared one by one: exact, and the measure of any other store."""

    def __init__(self, index: faiss.Index) -> None:
        self._index = index

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def search(self, query: Vectors, k: int, allowed: Mask | None = None) -> Candidates:
        """Return the k best rows (fewer where fewer are allowed) for one query of shape (dimension,), best first."""
        faiss.omp_set_num_threads(_THREADS)
        k = min(k, len(self))
        if k == 0:
            return Candidates(np.zeros(0, np.int64), np.zeros(0, np.float32))
        params = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            params = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))  # type: ignore[call-arg, arg-type]
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


def write_vectors(vectors: Vectors, path: Path) -> None:
    """Write unit vectors of shape (rows, dimension) as an exact inner-product index."""
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    # FAISS's own writer forgets an error at close: a disk that fills up at the last bytes would go unnoticed.
    path.write_bytes(faiss.serialize_index(index).data)


def open_vectors(path: Path) -> FlatStore:
    """Open what `write_vectors` wrote; its digest must have been checked."""
    return FlatStore(faiss.read_index(str(path)))
