"""Confidence: the probability that the first hit answers the question, and the words for it.

Two questions, two logistic curves, one product: is the question about this corpus at all (*scope*), and if it is, does
the first hit answer it (*right*)? They are kept apart because the lead over the runner-up tells a right hit from a
wrong one and says nothing of scope. Pure functions; `fit` made the curves that are shipped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retriever.types import Calibration, Curve, Level

Numbers = NDArray[np.float64]

# Fitted on all six families of public FAQ sets with all-MiniLM-L6-v2; the figures in docs/evaluation.md are those of
# curves that had not seen the family under test. Scores have the encoder's floor taken out, so they serve others too.
PRIOR = Calibration(
    floor=0.0,
    scope=Curve(6.992493, (9.204842, 0.035823)),
    right=Curve(1.548440, (2.822334, -0.316361, 8.772754)),
)

_LEAST_SCORE = 0.05
HIGH, MEDIUM = 0.8, 0.5
CAP = 0.79
"""Confidence is never high while a distinguishing word of the question, or half of them, is missing from the entry."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a first hit.

    `score` is its fused score, `lead` that less the score of the best entry with another question, `words` how many
    words its question and answer have: a long entry shares words by chance.
    """

    score: float
    lead: float
    words: int


def confidence_of(evidence: Sequence[Evidence], calibration: Calibration) -> Numbers:
    """Return the probability that each first hit answers, shape (len(evidence),)."""
    said = [_logistic(calibration.scope, f[:2]) * _logistic(calibration.right, f) for f in map(_features, evidence)]
    return moved(np.array(said, np.float64), calibration)


def moved(probability: Numbers, calibration: Calibration) -> Numbers:
    """Return what the curves say as the owner's labelled questions moved it."""
    if (calibration.slope, calibration.shift) == (1.0, 0.0):
        return probability
    return _squash(calibration.slope * _logit(probability) + calibration.shift)


def features_of(evidence: Sequence[Evidence]) -> Numbers:
    """Return what the curves read, shape (len(evidence), 3): ln score, ln(1 + words), lead; scope reads two."""
    return np.array([_features(one) for one in evidence], np.float64).reshape(-1, 3)


def _features(one: Evidence) -> tuple[float, float, float]:
    return math.log(max(one.score, _LEAST_SCORE)), math.log1p(one.words), min(max(one.lead, 0.0), 1.0)


def _logistic(curve: Curve, features: Sequence[float]) -> float:
    """Return the curve at one place. A question has one first hit, and numpy is slow for few numbers."""
    logit = curve.intercept + sum(w * f for w, f in zip(curve.weights, features, strict=True))
    return 1 / (1 + math.exp(-min(max(logit, -500.0), 500.0)))


def _squash(logits: Numbers) -> Numbers:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -500, 500))))


def _logit(probability: Numbers) -> Numbers:
    clipped = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def level_of(confidence: float, least: float) -> Level:
    """Return the word beside the number: `none` is below what counts as answered."""
    if confidence < least:
        return "none"
    return "high" if confidence >= HIGH else "medium" if confidence >= MEDIUM else "low"


# --- fitting ------------------------------------------------------------------------------------------------------


def fit_curve(features: Numbers, right: Numbers, weight: Numbers, *, ridge: float = 1.0) -> Curve:
    """Return the logistic curve of `right` (0 or 1) by Newton's method; the intercept is not penalised."""
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    x = np.column_stack([np.ones(len(features)), (features - mean) / spread])
    beta, penalty = np.zeros(x.shape[1]), ridge * np.diag([0.0, *[1.0] * features.shape[1]])
    for _ in range(50):
        p = _squash(x @ beta)
        gradient = x.T @ (weight * (right - p)) - penalty @ beta
        step = np.linalg.solve((x.T * (weight * p * (1 - p))) @ x + penalty, gradient)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    weights = beta[1:] / spread
    return Curve(float(beta[0] - weights @ mean), tuple(float(w) for w in weights))


def sharpen(
    calibration: Calibration,
    said: Sequence[float],
    right: Sequence[bool],
    answerable: Sequence[bool],
    off_topic: Sequence[float],
) -> Calibration:
    """Return the calibration moved by an owner's labelled questions; few of them move it little.

    `said` are the confidences that the curves give them, before any such move, `answerable` whether they have an
    answer at all. `off_topic` are those of questions about anything else. Owners label few questions without an answer,
    and askers ask more of them: those labelled weigh together half of the others, each at most five, and off-topic
    ones weigh as much as the others. Platt scaling whose slope and shift are drawn to 1 and 0, by Newton's method.
    """
    others = sum(answerable)
    without = min(max(others / 2 / max(len(said) - others, 1), 1.0), 5.0)
    weight = np.array([*np.where(answerable, 1.0, without), *[others / max(len(off_topic), 1)] * len(off_topic)])
    logit = _logit(np.array([*said, *off_topic], np.float64))
    y = np.array([*right, *[False] * len(off_topic)], np.float64)
    slope, shift = _platt(logit, y, weight)
    return replace(calibration, slope=slope, shift=shift, labelled=len(said))


# How strongly slope and shift are drawn to 1 and 0, in labelled questions' worth of evidence.
_DRAWN = np.array([20.0, 4.0])


def _platt(logit: Numbers, y: Numbers, weight: Numbers) -> tuple[float, float]:
    x, prior = np.column_stack([logit, np.ones_like(logit)]), np.array([1.0, 0.0])

    def loss(at: Numbers) -> float:
        z = x @ at
        return float((weight * (np.logaddexp(0, z) - y * z)).sum() + (_DRAWN * (at - prior) ** 2).sum() / 2)

    at = prior
    for _ in range(50):
        p = _squash(x @ at)
        gradient = x.T @ (weight * (y - p)) - _DRAWN * (at - prior)
        step = np.linalg.solve((x.T * (weight * p * (1 - p))) @ x + np.diag(_DRAWN), gradient)
        while loss(at + step) > loss(at) and np.abs(step).max() > 1e-9:
            step /= 2
        at = at + step
        if np.abs(step).max() <= 1e-9:
            break
    return max(float(at[0]), 0.05), float(at[1])


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Return the probability that a positive scores above a negative, ties counting half; None if either is empty."""
    if not positive or not negative:
        return None
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return round(float((below + not_above).mean() / 2 / len(ordered)), 4)


def expected_calibration_error(said: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Return the ECE: over `bins` of equal mass, the mean distance of what was said from what was so."""
    order = np.argsort(np.asarray(said), kind="stable")
    said_, right_ = np.asarray(said, np.float64)[order], np.asarray(right, np.float64)[order]
    parts = zip(np.array_split(said_, bins), np.array_split(right_, bins), strict=True)
    return float(sum(abs(s.mean() - r.mean()) * len(s) for s, r in parts if len(s)) / len(said_))


def reliability(said: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[Mapping[str, float]]:
    """Return, over `bins` of equal mass, what was said and what was so."""
    order = np.argsort(np.asarray(said), kind="stable")
    parts = zip(
        np.array_split(np.asarray(said, np.float64)[order], bins),
        np.array_split(np.asarray(right, np.float64)[order], bins),
        strict=True,
    )
    return [
        {"said": round(float(s.mean()), 4), "was": round(float(r.mean()), 4), "questions": len(s)}
        for s, r in parts
        if len(s)
    ]
