"""Candidates for a question, gathered by their vectors and words, and weighed: which entries come in which order."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retriever.defaults import MAX_K
from retriever.lexical import Asked
from retriever.ranking import NOTHING, PIN, best_by_kind, contributions, dense_evidence, fuse, order, spans_of
from retriever.rows import ByteRows, byte_rows
from retriever.snapshot import KINDS, Snapshot
from retriever.types import Allowed, Explanation, Filters, Mask, Rows, Vectors

Scores = NDArray[np.float32]

# The entry that answers is among the nearest 30 for 96 to 100% of the questions of public FAQ sets; these leave room.
_NEAREST_ROWS, _NEAREST_ENTRIES, _BY_WORDS = 400, 2 * MAX_K, 30
_KEPT_PERMITS = 8
_SENTENCE = KINDS.index("sentence")
_NOTHING_ASKED = Filters()


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates in order: ordinals and their scores, shape (candidates,).

    The `parts` that scores are the sums of stand in another order, in which `place` is where each candidate stands.
    """

    ordinals: Rows
    scores: Scores
    parts: dict[str, Scores]
    place: Rows

    def explanation(self, rank: int) -> Explanation:
        """Return what ordered the candidate at `rank`, counted from 0."""
        parts = {name: round(float(part[self.place[rank]]), 6) for name, part in self.parts.items()}
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
    near: _Near | _Roughly | None


class ByWords(NamedTuple):
    """A question's words: what they say of entries, and the entries that share most of them."""

    asked: Asked
    best: Rows


class _Near:
    """The rows of some entries that are no sentences, by entry and kind: what a question is compared with first.

    Sentences are many, and their cosines of use only for entries that are candidates.

    Args:
        snapshot: whose rows they are.
        mask: which entries, shape (entries,).
        together: whether the vectors are laid side by side, which takes their memory once more.
    """

    def __init__(self, snapshot: Snapshot, mask: Mask, *, together: bool) -> None:
        rows = np.flatnonzero(mask[snapshot.owners] & (snapshot.kinds != _SENTENCE))
        # The cell of each row in a table of the best cosine by kind and entry. Most have one row alone, of which
        # nothing is the best, and those come first; the rows of the others stand one cell after another.
        cells = snapshot.kinds[rows].astype(np.int64) * len(mask) + snapshot.owners[rows]
        _, cell_of, held = np.unique(cells, return_inverse=True, return_counts=True)
        shared = held[cell_of] > 1
        by_cell = np.lexsort((cells, shared))
        rows, cells, alone = rows[by_cell], cells[by_cell], int(np.count_nonzero(~shared))
        self._alone = cells[:alone]
        self._shared, self._begin = np.unique(cells[alone:], return_index=True)
        self._entries = len(mask)
        self._ordinals: Rows = np.unique(snapshot.owners[rows]).astype(np.int64)
        self._compare: Callable[[Vectors], Scores] = (
            snapshot.vectors.beside(rows) if together else lambda vector: snapshot.vectors.compare(vector, rows)
        )

    def nearest(self, vector: Vectors, wanted: int) -> tuple[Rows, Scores]:
        """Return the ordinals of the `wanted` nearest entries, and the best cosines of all: see `_best`."""
        best, ordinals = self._best(vector), self._ordinals
        if len(ordinals) > wanted:
            ordinals = ordinals[np.argpartition(best.max(axis=0)[ordinals], -wanted)[-wanted:]]
        return ordinals, best

    def _best(self, vector: Vectors) -> Scores:
        """Return the best cosine of each kind of passage in each entry, shape (kinds, entries); NOTHING for none."""
        best, cosines = np.full(len(KINDS) * self._entries, NOTHING, np.float32), self._compare(vector)
        best[self._alone] = cosines[: len(self._alone)]
        if len(self._shared):
            best[self._shared] = np.maximum.reduceat(cosines[len(self._alone) :], self._begin)
        return best.reshape(len(KINDS), self._entries)


class _Roughly:
    """The same rows as bytes, which only choose the entries: all of their rows are then compared as they are."""

    def __init__(self, rows: ByteRows, owners: NDArray[np.int32]) -> None:
        """`owners` are the entries of the `rows`, ascending."""
        ordinals, self._begin = np.unique(owners, return_index=True)
        self._ordinals: Rows = ordinals.astype(np.int64)
        self._rows = rows

    def nearest(self, vector: Vectors, wanted: int) -> tuple[Rows, None]:
        """Return the ordinals of about the `wanted` nearest entries, and no cosines."""
        if len(self._ordinals) <= wanted:
            return self._ordinals, None
        best = np.maximum.reduceat(self._rows.compare(vector), self._begin)
        return self._ordinals[np.argpartition(best, -wanted)[-wanted:]], None


class Weighing:
    """Finds and orders the entries of a snapshot. Safe to use from several threads."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._permits: dict[Hashable, Permit] = {}
        self._together: tuple[bytes, _Near | _Roughly] | None = None
        self._sentences = np.flatnonzero(snapshot.kinds == _SENTENCE)
        held = np.bincount(snapshot.owners[self._sentences], minlength=len(snapshot.starts) - 1)
        self._sentences_begin = np.concatenate([[0], np.cumsum(held)])

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
            near = self._laid(mask) if filters == _NOTHING_ASKED else _Near(snapshot, mask, together=False)
        if permitted == len(mask):
            return Permit(permitted, len(snapshot.owners), None, None, near)
        rows = Allowed.of(mask[snapshot.owners])
        return Permit(permitted, rows.count, mask, rows, near)

    def _laid(self, mask: Mask) -> _Near | _Roughly:
        """Return the rows that questions without filters are compared with: together, as bytes where that can be.

        Most questions have none. Another day has the same as long as the same entries hold.
        """
        which = mask.tobytes()
        if self._together is None or self._together[0] != which:
            snapshot = self._snapshot
            rows = np.flatnonzero(mask[snapshot.owners] & (snapshot.kinds != _SENTENCE))
            laid = byte_rows(rows, snapshot.vectors.get)
            near = _Roughly(laid, snapshot.owners[rows]) if laid else _Near(snapshot, mask, together=True)
            self._together = which, near
        return self._together[1]

    def look_up(self, query: str, permit: Permit) -> ByWords:
        """Return what the words of a question say, ready to rank by: all that can be told without its vector."""
        asked = self._snapshot.lexical.look_up(query)
        return ByWords(asked, asked.best(_BY_WORDS, permit.mask))

    def rank(self, by_words: ByWords, vector: Vectors, permit: Permit, pinned: Rows) -> Ranked:
        """Return the candidates for a question in order. Those `pinned`, ordinals that pass, come first."""
        snapshot = self._snapshot
        wanted, known = min(_NEAREST_ENTRIES, permit.entries), None
        if permit.near is None:
            nearest = self._found(vector, wanted, permit)
        else:
            nearest, known = permit.near.nearest(vector, wanted)
        ordinals = _union(nearest, by_words.best, pinned)
        if known is None:
            best = self._compared(vector, ordinals)
        else:
            best = self._with_sentences(known[:, ordinals], vector, ordinals)
        if not len(ordinals):
            return Ranked(ordinals, np.zeros(0, np.float32), {}, ordinals)
        evidence = dense_evidence(dict(zip(KINDS, best, strict=True)), snapshot.manifest.calibration.floor)
        words = by_words.asked.scores(ordinals)
        evidence |= {"words_question": words.question, "words": words.words}
        evidence |= {"pairs": words.pairs, "exact": words.exact}
        parts = contributions(evidence)
        if len(pinned):
            parts["pinned"] = np.where(np.isin(ordinals, pinned), np.float32(PIN), np.float32(0))
        scores = fuse(parts)
        place = order(scores, ordinals)
        return Ranked(ordinals[place], scores[place], parts, place)

    def _with_sentences(self, best: Scores, vector: Vectors, ordinals: Rows) -> Scores:
        """Return `best`, shape (kinds, ordinals), with the best cosine of the sentences of each of `ordinals`."""
        begin = self._sentences_begin
        having = np.flatnonzero(begin[ordinals + 1] > begin[ordinals])
        if len(having):
            places, starts = spans_of(begin, ordinals[having])
            cosines = self._snapshot.vectors.compare(vector, self._sentences[places])
            best[_SENTENCE, having] = np.maximum.reduceat(cosines, starts)
        return best

    def _compared(self, vector: Vectors, ordinals: Rows) -> Scores:
        """Return the best cosine of each kind in each of `ordinals`, shape (kinds, ordinals)."""
        if not len(ordinals):
            return np.zeros((len(KINDS), 0), np.float32)
        rows, begin = spans_of(self._snapshot.starts, ordinals)
        return best_by_kind(self._snapshot.vectors.compare(vector, rows), self._snapshot.kinds[rows], begin, KINDS)

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


def _union(*parts: Rows) -> Rows:
    """Return all that is in `parts`, ascending, each once: what numpy.union1d does in five times the time."""
    whole = np.concatenate(parts)
    whole.sort()
    new = np.empty(len(whole), np.bool_)
    new[:1] = True
    np.not_equal(whole[1:], whole[:-1], out=new[1:])
    union: Rows = whole[new]
    return union
