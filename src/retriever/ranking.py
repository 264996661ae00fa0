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
    """Return cosines with the encoder's own zero taken out: the dense evidence, where they are of nearest texts.

    `floor` is its mean cosine of texts that have nothing in common; with it, one set of weights serves any encoder.
    """
    return ((cosine - floor) / (1 - floor)).astype(np.float32, copy=False)


def pin_key(question: str) -> str:
    """Return what a question asked and a pinned one must have in common: all but case, white space and its end mark."""
    return " ".join(unicodedata.normalize("NFKC", question).casefold().split()).rstrip(" ?!.？！。؟")


def contributions(evidence: Scores) -> Scores:
    """Return what each kind of evidence, a row for each of WEIGHTS, adds to each entry's score."""
    return evidence * _BY_WEIGHT


def order(scores: Scores) -> Rows:
    """Return the positions of `scores` best first, of those that are the same the first."""
    return (-scores).argsort(kind="stable")
