"""Fusion: what each kind of evidence says of an entry, added up to the score that orders entries.

Pure functions, no model, no I/O. Every part is a weight times a number between about 0 and 1 that means the same for
every question, so sums compare between questions, and an explanation is the parts themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from retriever.types import PassageKind, Rows

Scores = NDArray[np.float32]

# Set once by hand on six public families of FAQ sets. The plateau is flat, and weights fitted on five families served
# the sixth no better than random ones near these did (docs/evaluation.md), so they stay round.
WEIGHTS: Mapping[str, float] = {
    "question": 0.15,  # the nearest of question and alternates
    "entry": 0.35,  # question and answer as one text
    "best": 0.50,  # the nearest text of any kind
    "words_question": 0.15,  # the share of words in the question field
    "words": 0.35,  # the share of words in the whole entry
    "pairs": 0.20,  # the share of pairs of words
    "exact": 0.35,  # codes and quoted phrases as they stand
}

PIN = 3.0
"""What a pin adds: more than all other evidence together can."""

NOTHING = -1.0
"""The cosine of a kind of passage that an entry does not have."""


def related(cosine: Scores, floor: float) -> Scores:
    """Return cosines with the encoder's own zero taken out.

    `floor` is its mean cosine of texts that have nothing in common; with it, one set of weights serves any encoder.
    """
    return ((cosine - floor) / (1 - floor)).astype(np.float32)


def best_by_kind(cosines: Scores, kinds: NDArray[np.uint8], starts: Rows, names: Sequence[PassageKind]) -> Scores:
    """Return the highest cosine of each kind of passage in each entry, shape (kinds, entries); NOTHING for none.

    `cosines` and `kinds` are of the entries' rows one after another; `starts` is where each entry's rows begin. Every
    entry has at least one row.
    """
    # All kinds in one array: what a kind costs is the call, not the numbers.
    of_kind = np.where(kinds == np.arange(len(names), dtype=kinds.dtype)[:, None], cosines, np.float32(NOTHING))
    highest: Scores = np.maximum.reduceat(of_kind, starts, axis=1)
    return highest


def dense_evidence(best: Mapping[PassageKind, Scores], floor: float) -> dict[str, Scores]:
    """Return the dense evidence, from the highest cosine of each kind of passage."""
    question = np.maximum(best["question"], best["alternate"])
    # A page text has no question of its own; its nearest text speaks for it.
    nearest = reduce(np.maximum, best.values())
    question = np.where(question == NOTHING, nearest, question)
    # All three in one array, as above.
    question, entry, nearest = related(np.array([question, best["entry"], nearest]), floor)
    return {"question": question, "entry": entry, "best": nearest}


def pin_key(question: str) -> str:
    """Return what a question asked and a pinned one must have in common: all but case, white space and its end mark."""
    return " ".join(unicodedata.normalize("NFKC", question).casefold().split()).rstrip(" ?!.？！。؟")


def contributions(evidence: Mapping[str, Scores]) -> dict[str, Scores]:
    """Return what each kind of evidence adds to each entry's score."""
    return {name: WEIGHTS[name] * values for name, values in evidence.items()}


def fuse(parts: Mapping[str, Scores]) -> Scores:
    """Return the score that orders entries: the sum of its parts."""
    return reduce(np.add, parts.values())


def order(scores: Scores, ordinals: Rows) -> Rows:
    """Return the positions of `ordinals` best first. Ties break by ordinal, which is the order of entry ids."""
    return np.lexsort((ordinals, -scores)).astype(np.int64)


def spans_of(starts: Rows, ordinals: Rows) -> tuple[Rows, Rows]:
    """Return the rows of `ordinals` one after another, and where each entry's begin among them.

    `starts` is where each entry's rows begin in the snapshot, and one more for the end.
    """
    first = starts[ordinals]
    counts = starts[ordinals + 1] - first
    begin = np.cumsum(counts) - counts
    rows = np.repeat(first - begin, counts)
    rows += np.arange(len(rows))
    return rows, begin
