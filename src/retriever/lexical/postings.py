"""The BM25 of every term in every entry of one field, worked out for all of them at once.

Lucene's formula, as bm25s has it, whose numbers these are to the last digits: tests hold them to it. Done in arrays,
it takes a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retriever.lexical.terms import Keys

# BM25's usual values: k1 0.9 to 1.6 and b 0.4 to 0.9 moved nDCG@10 by under 0.001 on public FAQ sets.
_K1, _B = 1.2, 0.75
_ENTRY_BITS = np.uint64(32)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Where terms stand: the number of each and its entry, shape (occurrences,) both, in the order of the text.

    Of a million entries there are a hundred million: so numbers have 4 bytes, but those of pairs.
    """

    terms: NDArray[np.integer[Any]]
    entries: NDArray[np.int32]

    def __add__(self, other: Occurrences) -> Occurrences:
        return Occurrences(np.append(self.terms, other.terms), np.append(self.entries, other.entries))

    def times(self, count: int) -> Occurrences:
        """Return each of them `count` times."""
        return Occurrences(np.tile(self.terms, count), np.tile(self.entries, count))

    def map(self, places: Sequence[Sequence[int]]) -> Occurrences:
        """Return them with term `n` replaced by the terms `places[n]`, in order."""
        counts = np.fromiter(map(len, places), np.int64, len(places))
        flat = np.fromiter((term for terms in places for term in terms), np.int32, int(counts.sum()))
        many = counts[self.terms]
        # The first of each, and how far on from it: what a loop over all would do.
        firsts = np.cumsum(counts) - counts
        shift = np.repeat(firsts[self.terms] - (np.cumsum(many) - many), many)
        return Occurrences(flat[shift + np.arange(len(shift))], np.repeat(self.entries, many))

    def neighbours(self, terms: int) -> Occurrences:
        """Return the pairs of neighbours in one entry: of terms m and n, of `terms` that there are, m * terms + n."""
        together = self.entries[1:] == self.entries[:-1]
        pairs = self.terms[:-1].astype(np.int64) * terms + self.terms[1:]
        return Occurrences(pairs[together], self.entries[1:][together])


def bm25_columns(keys: Keys, found: Occurrences, count: int) -> dict[str, NDArray[Any]]:
    """Return the arrays that TermIndex reads: of terms with these `keys` where they are found in `count` entries."""
    order = np.argsort(keys)
    places = np.empty(len(keys), np.uint64)
    places[order] = np.arange(len(keys), dtype=np.uint64)
    postings, times = _counted(places[found.terms] << _ENTRY_BITS | found.entries.astype(np.uint64))
    terms, entries = postings >> _ENTRY_BITS, postings.astype(np.uint32).astype(np.int32)
    held = np.bincount(terms.astype(np.int64), minlength=len(keys))
    idf = np.log(1 + (count - held + 0.5) / (held + 0.5)).astype(np.float32)
    lengths = np.bincount(found.entries, minlength=count)
    norms = (_K1 * (1 - _B + _B * lengths / (lengths.mean() or 1.0))).astype(np.float32)
    values = idf[terms] * (times / (times + norms[entries]))
    some = held > 0
    starts = np.concatenate([[0], np.cumsum(held[some])])
    return {
        "keys": keys[order][some],
        "starts": starts,
        "most": np.maximum.reduceat(values, starts[:-1]) if len(values) else values,
        "entries": entries,
        "values": values,
    }


def _counted(codes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    """Return the different codes, ascending, and how often each is there."""
    codes.sort()
    new = np.ones(len(codes), np.bool_)
    new[1:] = codes[1:] != codes[:-1]
    at = np.flatnonzero(new)
    return codes[at], np.diff(at, append=len(codes)).astype(np.float32)


def entries_holding(found: Occurrences, terms: int) -> Numbers:
    """Return in how many entries each of `terms` terms is."""
    postings, _ = _counted(found.terms.astype(np.uint64) << _ENTRY_BITS | found.entries.astype(np.uint64))
    return np.bincount((postings >> _ENTRY_BITS).astype(np.int64), minlength=terms)
