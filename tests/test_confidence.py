"""The confidence is a probability, whatever the similarity."""

import pytest

from retriever.confidence import confidence_of


@pytest.mark.parametrize(("score", "confidence"), [(0.7, 0.7), (-0.2, 0.0), (1.0000001, 1.0), (0.0, 0.0), (None, 0.0)])
def test_the_confidence_is_the_score_within_zero_and_one(score, confidence):
    assert confidence_of(score) == confidence


def test_a_better_score_is_never_less_sure():
    confidences = [confidence_of(score / 50) for score in range(-50, 60)]
    assert confidences == sorted(confidences)
