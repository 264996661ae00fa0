"""How sure an answer is, and the decision whether to give it."""

from __future__ import annotations


def confidence_of(top_score: float | None) -> float:
    """Return the confidence, 0 to 1, that the best hit answers: its similarity, and 0 where there is no hit."""
    return 0.0 if top_score is None else min(max(top_score, 0.0), 1.0)
