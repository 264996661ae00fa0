"""The columns of terms: which entries hold each, and its BM25 there; and shares of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.lexical.terms import Keys, asked_key

Scores = NDArray[np.float32]


@dataclass(slots=True)  # not frozen: a question makes a dozen, and frozen ones take five times as long to make
class Column:
    """A term: the entries that hold it, ascending, its score in each, the highest of those, and how rare the term is.

    The highest is 0 where no entry holds it, and nowhere else.
    """

    entries: NDArray[np.int32]
    values: Scores
    most: float
    rarity: float

    def at(self, ordinals: NDArray[np.int32]) -> Scores:
        """Return the term's score in each of `ordinals`, 0 where they do not hold it."""
        if not len(self.entries):
            return np.zeros(len(ordinals), np.float32)
        place = np.minimum(np.searchsorted(self.entries, ordinals), len(self.entries) - 1)
        found: Scores = np.where(self.entries[place] == ordinals, self.values[place], np.float32(0))
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
        return self._of(sums)

    def of_all(self, count: int) -> Scores:
        """Return the share of every one of `count` entries: the same numbers as `at` gives."""
        if not self.columns:
            return np.zeros(count, np.float32)
        entries = np.concatenate([column.entries for column in self.columns])
        values = np.concatenate([column.values for column in self.columns])
        return self._of(np.bincount(entries, values, count).astype(np.float64, copy=False))

    def _of(self, sums: NDArray[np.float64]) -> Scores:
        shares: Scores = (sums / (self.total or 1.0)).astype(np.float32)
        return shares


class TermIndex:
    """The BM25 of every term in every entry, read by term."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], count: int) -> None:
        self._keys, self._starts = arrays["keys"], arrays["starts"]
        self._entries, self._values, self._most = (arrays[name] for name in ("entries", "values", "most"))
        self.count = count
        self.unknown = float(np.log(1 + (count + 0.5) / 0.5))
        self._kept: dict[int, Column] = {}
        self._idf: dict[int, float] = {}

    def column(self, term: str) -> Column:
        """Return the entries that hold a term, and its BM25 in each."""
        return self.columns((asked_key(term),))[0]

    def columns(self, keys: Sequence[int]) -> list[Column]:
        """Return the column of each of the terms whose distinct keys these are, empty where no entry has the term.

        Those looked up last are kept.
        """
        columns = {key: self._kept.get(key) for key in keys}
        new = [key for key, column in columns.items() if column is None]
        if new:
            found = dict(zip(new, self._look_up(np.array(new, np.uint64)), strict=True))
            if len(self._kept) >= _KEPT_COLUMNS:
                self._kept.clear()
            self._kept.update(found)
            columns |= found
        return [column for column in columns.values() if column is not None]

    def _look_up(self, keys: Keys) -> list[Column]:
        none = Column(self._entries[:0], self._values[:0], 0.0, self.unknown)
        if not len(self._keys):
            return [none] * len(keys)
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        known = (self._keys[found] == keys).tolist()
        return [self._column(at) if held else none for at, held in zip(found.tolist(), known, strict=True)]

    def _column(self, at: int) -> Column:
        """Return the column of the term that stands at `at`."""
        start, stop = self._starts[at : at + 2].tolist()
        most, rarity = float(self._most[at]), self.idf(stop - start)
        return Column(self._entries[start:stop], self._values[start:stop], most, rarity)

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


_KEPT_COLUMNS = 2000  # under half a kilobyte each
