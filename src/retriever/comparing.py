"""Entries compared with a question: the cosine of each of their rows, and of each entry's nearest texts.

Compiled code does it, where there is some and the processor has AVX-512; else the store does, and numpy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retriever.compiled import library_for
from retriever.types import Rows, Vectors, VectorStore

Scores = NDArray[np.float32]


class Compared(NamedTuple):
    """Cosines of the rows of entries, one entry's after another's, and where each one's begin and end.

    `nearest`, shape (3, entries), is of each entry the highest cosine of its question and alternates, or of all where
    it has none, as a page text; that of all of it as one text; and the highest of all.
    """

    cosines: Scores
    begin: Rows
    end: Rows
    nearest: Scores


class Comparing:
    """Compares entries. Safe to use from several threads.

    Args:
        vectors: of all rows.
        starts: where each entry's rows begin, and one more for the end, shape (entries + 1,). Those of its question and
            alternates come first, if it has any, and that of all of it as one text last.
        asking: how many are of its question and alternates, shape (entries,).
    """

    def __init__(self, vectors: VectorStore, starts: Rows, asking: Rows) -> None:
        self._vectors = vectors
        self._starts, self._asking = np.ascontiguousarray(starts, np.int64), np.ascontiguousarray(asking, np.int64)
        laid = vectors.laid
        compiled = None if laid is None else library_for(laid.shape[1])
        self._compiled = compiled and compiled.retriever_compare_entries
        if laid is not None:
            self._width = laid.shape[1]
            self._at = laid.ctypes.data, self._width, self._starts.ctypes.data, self._asking.ctypes.data

    def compare(self, query: Vectors, ordinals: Rows) -> Compared:
        """Return how the entries `ordinals` compare with one query of shape (dimension,)."""
        first = self._starts[ordinals]
        counts = self._starts[ordinals + 1] - first
        end = counts.cumsum()
        begin = end - counts
        if self._compiled is None:
            rows = (first - begin).repeat(counts)
            rows += np.arange(len(rows))
            cosines = self._vectors.compare(query, rows)
            return Compared(cosines, begin, end, nearest_of(cosines, begin, end, self._asking[ordinals]))
        query, ordinals = np.ascontiguousarray(query, np.float32), np.ascontiguousarray(ordinals, np.int64)
        assert query.shape == (self._width,)
        cosines = np.empty(int(end[-1]) if len(end) else 0, np.float32)
        nearest = np.empty((3, len(ordinals)), np.float32)
        given = ordinals.ctypes.data, len(ordinals), query.ctypes.data
        self._compiled(*self._at, *given, cosines.ctypes.data, nearest.ctypes.data)
        return Compared(cosines, begin, end, nearest)


def nearest_of(cosines: Scores, begin: Rows, end: Rows, asking: Rows) -> Scores:
    """Return of each entry the cosines of its nearest texts, as `Compared` has them.

    What asks and the rest in turn are read in one call: of no rows that gives the first of the rest.
    """
    highest = np.maximum.reduceat(cosines, np.array([begin, begin + asking]).T.ravel())
    question, rest = highest[::2], highest[1::2]
    best = np.maximum(question, rest)
    return np.array([np.where(asking, question, best), cosines[end - 1], best])
