"""Whether confidence can tell questions that have an answer from those that have none, guessed without any label.

Each entry's own question is asked of the answers alone: once with its own among them, once without, as if it were not
in the corpus. The shipped off-topic questions are asked too. Where its own answer makes no difference, no confidence
can tell: the answers stand with other questions, are all alike, or are in a language that the encoder does not know.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retriever.confidence import auroc
from retriever.types import Entry, Mask, Rows, Separation, Vectors

# Public FAQ sets have at least .60 near, or .95 own, and .88 far. Answers in a language that the encoder hardly knows
# have .57 and .87 at most, shuffled or meaningless ones .51 near: docs/evaluation.md.
LEAST_NEAR, LEAST_OWN, LEAST_FAR = 0.58, 0.9, 0.8
# With fewer questions, chance alone reaches as much.
LEAST_QUESTIONS = 30
_MOST_ENTRIES = 1000
_AT_ONCE = 100

_WORDS = re.compile(r"\w+")
_Scores = NDArray[np.float32]


def separation_of(
    entries: Sequence[Entry], owners: Rows, questions: Mask, answers: Mask, vectors: Vectors, off_topic: Vectors
) -> Separation | None:
    """Return how well the nearest answer tells; None where there are too few questions to say.

    Args:
        entries: the corpus. Where they are many, a thousand, spread over it, are taken for all of it.
        owners: the place of the entry that each passage is of, ascending, shape (passages,).
        questions: which passages are an entry's own question, shape (passages,).
        answers: which are of its answer's paragraphs, shape (passages,).
        vectors: of the passages, shape (passages, dimension).
        off_topic: of questions that have nothing to do with the corpus, shape (questions, dimension).
    """
    taken = np.isin(owners, list(_spread([at for at, entry in enumerate(entries) if entry.kind == "faq"])))
    rows = np.flatnonzero(answers & taken)
    answered, begin = np.unique(owners[rows], return_index=True)
    if len(answered) < LEAST_QUESTIONS:
        return None
    own_questions = np.flatnonzero(questions)
    first = own_questions[np.searchsorted(owners[own_questions], answered)]
    asked, answers_of = vectors[first], vectors[rows]
    twins = _twins([entries[at] for at in answered.tolist()])
    own, others, above = _told(_nearness(asked, answers_of, begin), twins)
    present = np.maximum(own, others).tolist()
    far = _nearness(off_topic, answers_of, begin).max(axis=1).tolist()
    return Separation(
        questions=len(own),
        own=round(float(above.mean()), 4),
        near=auroc(present, others.tolist()) or 0.0,
        far=auroc(present, far) or 0.0,
    )


def warning_of(separation: Separation | None) -> str | None:
    """Return what the owner is told where confidence will say little; None where it separates."""
    if separation is None:
        return None
    if separation.near < LEAST_NEAR and separation.own < LEAST_OWN:
        return (
            f"confidence will say little: a question is hardly nearer to its own answer than to any other (than "
            f"{separation.own:.0%} of them; where all is well, 90% and more). The answers may stand with the wrong "
            "questions, say nothing of their own, or be in a language that the encoder does not know: read a few "
            "entries as they were taken (retriever export), or build with a --model that knows the language"
        )
    if separation.far < LEAST_FAR:
        return (
            "confidence will say little: the answers are hardly nearer to the questions of this corpus than to any "
            f"others (AUROC {separation.far:.2f}; where all is well, 0.9 and more). They may be all alike, or too "
            "short to say what they are about: let each answer name what it answers"
        )
    return None


def _spread(places: Sequence[int]) -> set[int]:
    chosen = np.linspace(0, len(places) - 1, min(len(places), _MOST_ENTRIES)).astype(int)
    return {places[at] for at in chosen.tolist()}


def _twins(entries: Sequence[Entry]) -> NDArray[np.int64]:
    """Return a number for each entry that it has in common with those of the same question or the same answer."""
    numbers: dict[tuple[str, ...], int] = {}
    found = []
    for at, entry in enumerate(entries):
        names = ("question", *_WORDS.findall(entry.question.lower())), ("answer", *(p.text for p in entry.answer))
        number = min(numbers.get(name, at) for name in names)
        numbers |= dict.fromkeys(names, number)
        found.append(number)
    return np.array(found)


def _nearness(asked: Vectors, answers: Vectors, begin: NDArray[np.intp]) -> _Scores:
    """Return the cosine of each question with the nearest answer passage of each entry, shape (asked, entries)."""
    parts = range(0, len(asked), _AT_ONCE)
    return np.concatenate([np.maximum.reduceat(asked[at : at + _AT_ONCE] @ answers.T, begin, axis=1) for at in parts])


def _told(near: _Scores, twins: NDArray[np.int64]) -> tuple[_Scores, _Scores, NDArray[np.float64]]:
    """Return how near each question is to its own answer, or its twin's, and to the nearest other.

    And the share of the others that its own stands above. Where all are twins there is no other: as good as its own.
    """
    same = twins[:, None] == twins[None, :]
    own = np.where(same, near, np.float32(-1)).max(axis=1)
    if same.all():
        return own, own, np.full(len(own), 0.5)
    others = np.where(same, np.float32(-1), near).max(axis=1)
    above = (~same & (near < own[:, None])).sum(axis=1) / (~same).sum(axis=1)
    return own, others, above
