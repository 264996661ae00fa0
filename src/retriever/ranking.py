"""Rows to entries ranked: pure functions, no model, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retriever.types import Candidates, Rows


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry by its ordinal, the row that found it, and that row's score."""

    ordinal: int
    row: int
    score: float


def best_by_entry(candidates: Candidates, owners: Rows) -> list[Ranked]:
    """Group candidate rows by the entry that owns them: an entry scores as its best row. Best first.

    Ties break by ordinal, which is the order of entry ids, and inside an entry by row.
    """
    order = np.lexsort((candidates.rows, -candidates.scores))
    best: dict[int, Ranked] = {}
    for row, score in zip(candidates.rows[order].tolist(), candidates.scores[order].tolist(), strict=True):
        ordinal = int(owners[row])
        if ordinal not in best:
            best[ordinal] = Ranked(ordinal, row, score)
    return sorted(best.values(), key=lambda ranked: (-ranked.score, ranked.ordinal))


def is_settled(candidates: Candidates, ranked: list[Ranked], k: int) -> bool:
    """Tell whether no row beyond `candidates` can change the first k entries.

    They could while fewer than k entries are found, or while the k-th has no better score than the last row seen.
    """
    return len(ranked) >= k and ranked[k - 1].score > float(candidates.scores[-1])
