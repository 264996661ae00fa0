"""A question's terms, looked up: what they say of entries, and which entries share most of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retriever.lexical.columns import Column, Scores, Share
from retriever.types import Mask, Rows


@dataclass(frozen=True)
class Asked:
    """A question's terms, looked up among those of `count` entries."""

    question: Share
    words: Share
    pairs: Share
    exact: Share
    count: int

    def scores(self, ordinals: Rows) -> Scores:
        """Return what the question's words say of the entries `ordinals`, 0 to 1, shape (4, entries).

        The share of the question's words in the entry's questions; in the whole entry; of its pairs of words; and of
        its codes and quoted phrases, as they stand.
        """
        if self.count <= _FEW:
            return self._of_all.take(ordinals, axis=1)
        at = ordinals.astype(np.int32)  # of the columns' own type, or each would be copied to search it
        return np.array([share.at(at) for share in (self.question, *self._shares)])

    def best(self, count: int, allowed: Mask | None = None) -> Rows:
        """Return the entries that share most of the words, pairs and codes, best first: at most `count`, and exactly.

        Terms are added up from the rarest on. Once those left cannot lift an entry that has none of the rare ones among
        the best, no more entries are taken up, and those that can no longer be among the best are dropped term by term.
        So the long columns of common words are looked into, and seldom walked.
        """
        if self.count <= _FEW:
            return self._best_of_few(count, allowed)
        shares = [(column, share.total or 1.0) for share in self._shares for column in share.columns]
        columns = sorted(shares, key=lambda column: -len(column[0].entries))
        sums, met, top, least = np.zeros(self.count, np.float32), [np.zeros(0, np.int32)], 0.0, 0.0
        left = sum(column.most / total for column, total in columns)
        while columns:
            column, total = columns.pop()
            entries, values = column.entries, column.values / np.float32(total)
            if allowed is not None:
                kept = allowed[entries]
                entries, values = entries[kept], values[kept]
            before = sums[entries]
            met.append(entries[before == 0])
            sums[entries] = before + values
            top, left = max(top, float((before + values).max(initial=0))), left - column.most / total
            if left < top and left < (least := _least(sums[np.concatenate(met)], count)):
                break
        worth = np.sort(np.concatenate(met))  # in order, they are found in columns in a fraction of the time
        least = max(least, self._reached(worth, sums, count))
        worth = self._sift(worth, sums, columns, left, least, count)
        together = self._together(worth)
        return worth[np.argsort(-together, kind="stable")[:count]].astype(np.int64)

    def _reached(self, met: NDArray[np.int32], sums: Scores, count: int) -> float:
        """Return what the last of the best `count` has at least, by weighing those of `met` that have most so far."""
        if len(met) > _SAMPLE * count:
            met = met[np.argpartition(sums[met], -_SAMPLE * count)[-_SAMPLE * count :]]
        return _least(self._together(np.sort(met)), count)

    def _together(self, ordinals: NDArray[np.int32]) -> Scores:
        """Return what words, pairs and codes say of entries, added up."""
        together: Scores = self.scores(ordinals.astype(np.int64))[1:].sum(axis=0)
        return together

    def _sift(
        self,
        worth: NDArray[np.int32],
        sums: Scores,
        columns: Sequence[tuple[Column, float]],
        left: float,
        least: float,
        count: int,
    ) -> NDArray[np.int32]:
        """Return those of `worth`, ascending, that may be among the best once `columns`, worth `left`, are added."""
        for column, total in sorted(columns, key=lambda column: -column[0].most / column[1]):
            worth = worth[sums[worth] + left >= least]
            if len(worth) <= _ENOUGH * count:
                break
            sums[worth] += column.at(worth) / np.float32(total)
            left -= column.most / total
            least = max(least, _least(sums[worth], count))
        return worth[sums[worth] + left >= least]

    @property
    def _shares(self) -> tuple[Share, ...]:
        return self.words, self.pairs, self.exact

    @cached_property
    def _of_all(self) -> Scores:
        """The scores of every entry: where there are few, less work than those of some."""
        shares = self.question, *self._shares
        sums = np.zeros((len(shares), self.count))
        for share, of_share in zip(shares, sums, strict=True):
            share.add(of_share)
        sums /= np.array([[share.total or 1.0] for share in shares])
        return sums.astype(np.float32)

    def _best_of_few(self, count: int, allowed: Mask | None) -> Rows:
        """Return the same by weighing every entry."""
        total: Scores = self._of_all[1:].sum(axis=0)
        if allowed is not None:
            total[~allowed] = 0
        enough = np.count_nonzero(total) > count
        worth = (total >= np.partition(total, -count)[-count] if enough else total).nonzero()[0]
        return worth[(-total[worth]).argsort(kind="stable")[:count]]


def _least(sums: Scores, count: int) -> float:
    """Return what the last of the best `count` has, less what rounding may do to it; 0 where there are fewer."""
    return float(np.partition(sums, -count)[-count]) - _ROUNDING if len(sums) >= count else 0.0


# Weighing so many times what is wanted tells how little is too little.
_SAMPLE = 4
# So few entries more than are wanted are weighed sooner than sorted out.
_ENOUGH = 4
# Weighing so many entries one and all takes less time than choosing whom to weigh.
_FEW = 4_000
# Far above what sums of a few dozen float32 differ by when they are added in another order.
_ROUNDING = 1e-4
