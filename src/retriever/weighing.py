"""Candidates for a question, gathered by their vectors and words, and weighed: which entries come in which order."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retriever.comparing import Compared, Comparing
from retriever.defaults import MAX_K
from retriever.lexical import Asked
from retriever.ranking import PIN, WEIGHTS, contributions, order, related
from retriever.rows import byte_rows
from retriever.snapshot import KINDS, Snapshot
from retriever.types import Allowed, Explanation, Filters, Mask, Rows, Vectors

Scores = NDArray[np.float32]

# The entry that answers is among the nearest 30 for 96 to 100% of the questions of public FAQ sets; these leave room.
# Of 2,591 such questions, 100 entries gave 5 another hit among the first five, and none another confidence.
_NEAREST_ROWS, _NEAREST_ENTRIES, _BY_WORDS = 400, MAX_K + 10, 30
_KEPT_PERMITS = 8
_SENTENCE = KINDS.index("sentence")
_NOTHING_ASKED = Filters()


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates in order: ordinals and their scores, shape (candidates,).

    What they were weighed by stands in another order, in which `place` is where each candidate stands.

    Args:
        parts: what the scores are the sums of, shape (kinds of evidence, candidates).
        compared: the cosines of the candidates' rows.
    """

    ordinals: Rows
    scores: Scores
    place: Rows
    parts: Scores
    compared: Compared

    def cosines(self, count: int) -> list[list[float]]:
        """Return the cosine of each passage of the first `count` candidates."""
        cosines, begin, end, _ = self.compared
        places = self.place[:count]
        spans = zip(begin[places].tolist(), end[places].tolist(), strict=True)
        return [cosines[start:stop].tolist() for start, stop in spans]

    def explanation(self, rank: int) -> Explanation:
        """Return what ordered the candidate at `rank`, counted from 0."""
        added = self.parts[:, self.place[rank]].tolist()
        parts = {name: round(part, 6) for name, part in zip((*WEIGHTS, "pinned"), added, strict=False)}
        return Explanation(round(sum(parts.values()), 6), parts)


@dataclass(frozen=True, slots=True)
class Permit:
    """What a filter lets pass: how many entries and rows, and which; None is all of them.

    `near` are the rows that are compared one by one; None where there are too many for that.
    """

    entries: int
    most: int
    mask: Mask | None
    rows: Allowed | None
    near: Near | None


class ByWords(NamedTuple):
    """A question's words: what they say of entries, and the entries that share most of them."""

    asked: Asked
    best: Rows


class Near:
    """What a question is compared with first: the rows of some entries that are no sentences.

    Sentences are many, and their cosines of use only for entries that are candidates.
    """

    def __init__(self, ordinals: Rows, best: Callable[[Vectors], Scores]) -> None:
        """`best` gives about the highest cosine of the rows of each of the entries `ordinals`."""
        self._ordinals = ordinals
        self._best = best

    def nearest(self, vector: Vectors, wanted: int) -> Rows:
        """Return the ordinals of about the `wanted` nearest entries."""
        if len(self._ordinals) <= wanted:
            return self._ordinals
        return self._ordinals[np.argpartition(self._best(vector), -wanted)[-wanted:]]


class Weighing:
    """Finds and orders the entries of a snapshot. Safe to use from several threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._permits: dict[Hashable, Permit] = {}
        self._together: tuple[bytes, Near] | None = None
        asking = snapshot.owners[snapshot.kinds < KINDS.index("answer")]
        counted = np.bincount(asking, minlength=len(snapshot.starts) - 1)
        self._comparing = Comparing(snapshot.vectors, snapshot.starts, counted)

    def permit(self, filters: Filters, today: date | None) -> Permit:
        """Return what `filters` let pass, and of it what holds `today` if a day is given.

        The last few are kept: to make one, every entry is looked at.
        """
        metadata = tuple([(key, tuple(values)) for key, values in filters.metadata.items()]) if filters.metadata else ()
        key = (filters.tags, filters.source, filters.lang, filters.kind, metadata, today)
        permit = self._permits.get(key)
        if permit is None:
            if len(self._permits) >= _KEPT_PERMITS:
                self._permits.clear()
            permit = self._permits[key] = self._permit_of(filters, today)
        return permit

    def _permit_of(self, filters: Filters, today: date | None) -> Permit:
        snapshot = self._snapshot
        mask = snapshot.allowed(filters)
        if today is not None:
            mask &= snapshot.valid(today)
        permitted = int(np.count_nonzero(mask))
        near = None
        if snapshot.manifest.nearest.kind == "exact":
            near = self._laid(mask) if filters == _NOTHING_ASKED else self._near(mask, together=False)
        if permitted == len(mask):
            return Permit(permitted, len(snapshot.owners), None, None, near)
        rows = Allowed.of(mask[snapshot.owners])
        return Permit(permitted, rows.count, mask, rows, near)

    def _laid(self, mask: Mask) -> Near:
        """Return the rows that questions without filters are compared with: together, as bytes where that can be.

        Most questions have none. Another day has the same as long as the same entries hold.
        """
        which = mask.tobytes()
        if self._together is None or self._together[0] != which:
            self._together = which, self._near(mask, together=True)
        return self._together[1]

    def _near(self, mask: Mask, *, together: bool) -> Near:
        """Return the rows of the entries of `mask`; laid together, which takes memory once more, or where they are."""
        snapshot, vectors = self._snapshot, self._snapshot.vectors
        rows = np.flatnonzero(mask[snapshot.owners] & (snapshot.kinds != _SENTENCE))
        ordinals, begin = np.unique(snapshot.owners[rows], return_index=True)
        best: Callable[[Vectors], Scores]
        if together and (laid := byte_rows(rows, np.append(begin[1:], len(rows)), vectors.get)):
            best = laid.best
        else:
            compare = vectors.beside(rows) if together else partial(vectors.compare, rows=rows)

            def best(vector: Vectors) -> Scores:
                return np.maximum.reduceat(compare(vector), begin)

        return Near(ordinals.astype(np.int64), best)

    def look_up(self, query: str, permit: Permit) -> ByWords:
        """Return what the words of a question say, ready to rank by: all that can be told without its vector."""
        asked = self._snapshot.lexical.look_up(query)
        return ByWords(asked, asked.best(_BY_WORDS, permit.mask))

    def rank(self, by_words: ByWords, vector: Vectors, permit: Permit, pinned: Rows) -> Ranked:
        """Return the candidates for a question in order. Those `pinned`, ordinals that pass, come first."""
        snapshot = self._snapshot
        wanted = min(_NEAREST_ENTRIES, permit.entries)
        near = permit.near.nearest(vector, wanted) if permit.near else self._found(vector, wanted, permit)
        ordinals = _union(near, by_words.best, pinned)
        if not len(ordinals):
            return _NONE
        compared = self._comparing.compare(vector, ordinals)
        dense = related(compared.nearest, snapshot.manifest.calibration.floor)
        words = by_words.asked.scores(ordinals)
        parts = contributions(np.concatenate([dense, words]))
        if len(pinned):
            parts = np.vstack([parts, np.where(np.isin(ordinals, pinned), np.float32(PIN), np.float32(0))])
        scores = parts.sum(axis=0)
        place = order(scores)
        return Ranked(ordinals[place], scores[place], place, parts, compared)

    def _found(self, vector: Vectors, wanted: int, permit: Permit) -> Rows:
        """Return the ordinals of the `wanted` nearest entries, of those that a rough index finds."""
        snapshot = self._snapshot
        count = min(_NEAREST_ROWS, permit.most)
        while True:
            rows = snapshot.vectors.search(vector, count, permit.rows).rows
            nearest = np.array(list(dict.fromkeys(snapshot.owners[rows].tolist()))[:wanted], dtype=np.int64)
            if len(nearest) >= wanted or len(rows) < count or count >= permit.most:
                return nearest
            count = min(count * 4, permit.most)


_NO_ROWS, _NO_SCORES = np.zeros(0, np.int64), np.zeros(0, np.float32)
_NONE = Ranked(_NO_ROWS, _NO_SCORES, _NO_ROWS, _NO_SCORES, Compared(_NO_SCORES, _NO_ROWS, _NO_ROWS, _NO_SCORES))


def _union(*parts: Rows) -> Rows:
    """Return all that is in `parts`, ascending, each once: what numpy.union1d does in five times the time."""
    whole = np.concatenate(parts)
    whole.sort()
    new = np.empty(len(whole), np.bool_)
    new[:1] = True
    np.not_equal(whole[1:], whole[:-1], out=new[1:])
    union: Rows = whole[new]
    return union
