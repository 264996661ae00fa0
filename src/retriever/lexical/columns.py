"""The columns of terms: which entries hold each, and its BM25 there; and shares of them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.compiled import library
from retriever.lexical.terms import asked_key

Scores = NDArray[np.float32]


class Postings:
    """Which entries hold each term, ascending, and its score in each: a term's one after another."""

    def __init__(self, entries: NDArray[np.int32], values: Scores) -> None:
        self.entries, self.values = np.ascontiguousarray(entries, np.int32), np.ascontiguousarray(values, np.float32)
        self._at = self.entries.ctypes.data, self.values.ctypes.data
        compiled = library()
        self._add = compiled and compiled.retriever_add_columns

    def add(self, columns: Sequence[Column], sums: NDArray[np.float64]) -> None:
        """Add `columns`, which are of these postings, to the sums of the entries, shape (entries,)."""
        if self._add:
            spans = array("q", [edge for column in columns for edge in (column.start, column.stop)])
            self._add(*self._at, spans.buffer_info()[0], len(columns), sums.ctypes.data)
        else:
            entries = np.concatenate([column.entries for column in columns])
            values = np.concatenate([column.values for column in columns])
            sums += np.bincount(entries, values, len(sums))


@dataclass(slots=True)  # not frozen: a question makes a dozen, and frozen ones take five times as long to make
class Column:
    """A term: where its postings begin and stop, the highest score in them, and how rare the term is.

    The highest is 0 where no entry holds the term, and nowhere else.
    """

    postings: Postings
    start: int
    stop: int
    most: float
    rarity: float

    @property
    def entries(self) -> NDArray[np.int32]:
        """The entries that hold the term, ascending."""
        return self.postings.entries[self.start : self.stop]

    @property
    def values(self) -> Scores:
        """The term's score in each of these."""
        return self.postings.values[self.start : self.stop]

    def at(self, ordinals: NDArray[np.int32]) -> Scores:
        """Return the term's score in each of `ordinals`, 0 where they do not hold it."""
        entries = self.entries
        if not len(entries):
            return np.zeros(len(ordinals), np.float32)
        place = np.minimum(np.searchsorted(entries, ordinals), len(entries) - 1)
        found: Scores = np.where(entries[place] == ordinals, self.values[place], np.float32(0))
        return found


@dataclass(frozen=True, slots=True)
class Share:
    """The columns of a question's terms in one field, and what an entry holding all at full weight would get."""

    columns: tuple[Column, ...]
    total: float

    def at(self, ordinals: NDArray[np.int32]) -> Scores:
        """Return the share of each of `ordinals`."""
        sums = np.zeros(len(ordinals))
        for column in self.columns:
            sums += column.at(ordinals)
        shares: Scores = (sums / (self.total or 1.0)).astype(np.float32)
        return shares

    def add(self, sums: NDArray[np.float64]) -> None:
        """Add up the columns in `sums`, shape (entries,): over the total, the same numbers as `at` gives."""
        if self.columns:
            self.columns[0].postings.add(self.columns, sums)


class TermIndex:
    """The BM25 of every term in every entry, read by term."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        self._keys, self._starts = arrays["keys"], arrays["starts"]
        self._postings, self._most = Postings(arrays["entries"], arrays["values"]), arrays["most"]
        self.count = count
        self.unknown = float(np.log(1 + (count + 0.5) / 0.5))
        self._kept: dict[int, Column] = {}
        self._idf: dict[int, float] = {}

    def column(self, term: str) -> Column:
        """Return the entries that hold a term, and its BM25 in each."""
        key = asked_key(term)
        return self._kept.get(key) or self.columns((key,))[0]

    def columns(self, keys: Sequence[int]) -> list[Column]:
        """Return the column of each of the terms whose distinct keys these are, empty where no entry has the term.

        Those looked up last are kept.
        """
        kept = list(map(self._kept.get, keys))
        new = [key for key, column in zip(keys, kept, strict=True) if column is None]
        found = self._look_up(new) if new else {}
        return [column or found[key] for key, column in zip(keys, kept, strict=True)]

    def _look_up(self, keys: Sequence[int]) -> dict[int, Column]:
        """Return the columns of terms by their keys, and keep them."""
        wanted = np.array(keys, np.uint64)
        places = self._keys.searchsorted(wanted)
        held = self._keys.take(places, mode="clip") == wanted if len(self._keys) else np.zeros(len(keys), np.bool_)
        none = Column(self._postings, 0, 0, 0.0, self.unknown)
        found = {
            key: self._column(place) if known else none
            for key, place, known in zip(keys, places.tolist(), held.tolist(), strict=True)
        }
        if len(self._kept) >= _KEPT_COLUMNS:
            self._kept.clear()
        self._kept.update(found)
        return found

    def _column(self, at: int) -> Column:
        """Return the column of the term that stands at `at`."""
        start, stop = self._starts[at : at + 2].tolist()
        return Column(self._postings, start, stop, self._most.item(at), self.idf(stop - start))

    def idf(self, held: int) -> float:
        """Return the rarity of a term that `held` entries have; one that none has is rarest."""
        rarity = self._idf.get(held)
        if rarity is None:
            rarity = float(np.log(1 + (self.count - held + 0.5) / (held + 0.5))) if held else self.unknown
            self._idf[held] = rarity
        return rarity

    def share(self, keys: Sequence[int], unknown: float) -> Share:
        """Return the columns of terms, by key. One that no entry has counts `unknown` of its rarity in the divisor."""
        columns = self.columns(keys)
        total = sum([column.rarity if column.most else unknown * column.rarity for column in columns])
        return Share(tuple([column for column in columns if column.most]), total)


_KEPT_COLUMNS = 2000  # under a quarter of a kilobyte each
