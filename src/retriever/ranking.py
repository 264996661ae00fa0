"""Fusion: what each kind of evidence says of an entry, added up to the score that orders entries.

Pure functions, no model, no I/O. Every part is a weight times a number between about 0 and 1 that means the same for
every question, so sums compare between questions, and an explanation is the parts themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from retriever.types import Rows

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

_BY_WEIGHT = np.array(list(WEIGHTS.values()), np.float32)[:, None]


def related(cosine: Scores, floor: float) -> Scores:
    """Return cosines with the encoder's own zero taken out.

    `floor` is its mean cosine of texts that have nothing in common; with it, one set of weights serves any encoder.
    """
    return ((cosine - floor) / (1 - floor)).astype(np.float32, copy=False)


def dense_evidence(cosines: Scores, begin: Rows, end: Rows, asking: Rows, floor: float) -> Scores:
    """Return the dense evidence of entries, shape (3, entries): the first three of WEIGHTS.

    Args:
        cosines: of the entries' rows one after another: an entry's first are of its question and alternates, if it has
            any, and its last is of all of it as one text.
        begin: where each entry's rows begin.
        end: where they end.
        asking: how many are of its question and alternates.
        floor: see `related`.
    """
    # What asks and the rest in turn, all in one call: of no rows that gives the first of the rest.
    highest = np.maximum.reduceat(cosines, np.array([begin, begin + asking]).T.ravel())
    question, rest = highest[::2], highest[1::2]
    best = np.maximum(question, rest)
    # A page text has no question of its own; its nearest text speaks for it.
    return related(np.array([np.where(asking, question, best), cosines[end - 1], best]), floor)


def pin_key(question: str) -> str:
    """Return what a question asked and a pinned one must have in common: all but case, white space and its end mark."""
    return " ".join(unicodedata.normalize("NFKC", question).casefold().split()).rstrip(" ?!.？！。؟")


def contributions(evidence: Scores) -> Scores:
    """Return what each kind of evidence, a row for each of WEIGHTS, adds to each entry's score."""
    return evidence * _BY_WEIGHT


def order(scores: Scores) -> Rows:
    """Return the positions of `scores` best first, of those that are the same the first."""
    return (-scores).argsort(kind="stable")


def spans_of(starts: Rows, ordinals: Rows) -> tuple[Rows, Rows, Rows]:
    """Return the rows of `ordinals` one after another, and where each entry's begin and end among them.

    `starts` is where each entry's rows begin in the snapshot, and one more for the end.
    """
    first = starts[ordinals]
    counts = starts[ordinals + 1] - first
    end = counts.cumsum()
    begin = end - counts
    rows = (first - begin).repeat(counts)
    rows += np.arange(len(rows))
    return rows, begin, end
