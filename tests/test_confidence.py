"""Confidence is a probability: bounded, monotone, fitted to what was so, and said in a word."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.confidence import (
    CAP,
    HIGH,
    PRIOR,
    Evidence,
    confidence_of,
    expected_calibration_error,
    fit_curve,
    level_of,
    moved,
    reliability,
    sharpen,
)
from retriever.types import Calibration, Curve

ANY = st.builds(Evidence, st.floats(-3, 3), st.floats(-3, 3), st.integers(0, 100_000))


def one(evidence: Evidence, calibration=PRIOR) -> float:
    return float(confidence_of([evidence], calibration)[0])


# --- the curve ----------------------------------------------------------------------------------------------------


@given(ANY, st.floats(0.05, 20), st.floats(-20, 20))
def test_confidence_is_a_probability_whatever_the_evidence(evidence, slope, shift):
    assert 0 <= one(evidence) <= 1
    assert 0 <= one(evidence, replace(PRIOR, slope=slope, shift=shift)) <= 1


@given(ANY, st.floats(-3, 3))
def test_a_better_score_is_never_less_sure(evidence, score):
    low, high = sorted([evidence.score, score])
    assert one(replace(evidence, score=low)) <= one(replace(evidence, score=high))


@given(ANY, st.floats(-3, 3))
def test_a_greater_lead_is_never_less_sure(evidence, lead):
    low, high = sorted([evidence.lead, lead])
    assert one(replace(evidence, lead=low)) <= one(replace(evidence, lead=high))


@given(st.lists(ANY, min_size=1, max_size=5))
def test_several_are_judged_as_each_alone(evidence):
    assert confidence_of(evidence, PRIOR).tolist() == pytest.approx([one(e) for e in evidence])


def test_none_are_judged_as_none():
    assert confidence_of([], PRIOR).shape == (0,)


def test_the_confidence_is_scope_times_right():
    calibration = replace(PRIOR, scope=Curve(0.0, (1.0, 0.0)), right=Curve(np.log(3), (0.0, 0.0, 0.0)))
    # At a score of one, ln score is 0: scope is sigmoid(0), right is sigmoid(ln 3).
    assert one(Evidence(1.0, 0.0, 0), calibration) == pytest.approx(0.5 * 0.75)


def test_the_prior_tells_a_good_hit_from_a_poor_one():
    assert one(Evidence(1.2, 0.4, 60)) > 0.9
    assert one(Evidence(0.2, 0.02, 60)) < 0.1


# --- the word -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("confidence", "level"),
    [(1.0, "high"), (0.8, "high"), (0.7999, "medium"), (0.5, "medium"), (0.4999, "low"), (0.3, "low"), (0.29, "none")],
)
def test_the_level_says_the_confidence_in_a_word(confidence, level):
    assert level_of(confidence, 0.3) == level


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_level_is_none_where_the_question_is_not_answered_and_only_there(confidence, least):
    assert (level_of(confidence, least) == "none") == (confidence < least)


def test_the_cap_is_below_high():
    assert CAP < HIGH


# --- fitting ------------------------------------------------------------------------------------------------------


def drawn(curve: Curve, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features, and outcomes drawn by the curve."""
    random = np.random.default_rng(0)
    features = random.normal(0.5, 2, (count, len(curve.weights)))
    probability = 1 / (1 + np.exp(-(curve.intercept + features @ np.array(curve.weights))))
    return features, (random.random(count) < probability).astype(float)


def test_a_fit_finds_the_curve_that_the_outcomes_were_drawn_by():
    known = Curve(-0.7, (1.1, -0.4))
    features, right = drawn(known, 40_000)
    found = fit_curve(features, right, np.ones(len(right)))
    assert found.intercept == pytest.approx(known.intercept, abs=0.08)
    assert found.weights == pytest.approx(known.weights, abs=0.06)


def test_a_weight_of_two_is_the_same_outcome_twice():
    features, right = drawn(Curve(0.2, (0.8,)), 200)
    twice = fit_curve(np.vstack([features, features]), np.append(right, right), np.ones(400))
    weighed = fit_curve(features, right, np.full(200, 2.0))
    assert (weighed.intercept, *weighed.weights) == pytest.approx((twice.intercept, *twice.weights), abs=1e-6)


def test_a_fit_of_what_is_told_apart_perfectly_stays_finite():
    found = fit_curve(np.array([[0.0], [1.0]] * 20), np.array([0.0, 1.0] * 20), np.ones(40))
    assert np.isfinite([found.intercept, *found.weights]).all()
    assert found.weights[0] > 0


def labelled(count: int, share: float) -> tuple[list[Evidence], list[bool]]:
    """Return middling evidence, and outcomes of which `share` are right."""
    scores = np.linspace(0.3, 0.7, count)
    return [Evidence(float(score), 0.1, 60) for score in scores], [at % 10 < share * 10 for at in range(count)]


def taught_by(evidence: list[Evidence], right: list[bool]) -> Calibration:
    """Return the shipped calibration as labelled questions that all have an answer moved it."""
    return sharpen(PRIOR, confidence_of(evidence, PRIOR).tolist(), right, [True] * len(right), [])


@pytest.mark.parametrize("count", [10, 30, 60, 200])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.9, 1.0])
def test_labelled_questions_move_the_confidence_toward_what_was_so(share, count):
    evidence, right = labelled(count, share)
    before = confidence_of(evidence, PRIOR).mean()
    after = confidence_of(evidence, taught_by(evidence, right)).mean()
    assert abs(after - share) < abs(before - share)


def test_few_labelled_questions_move_it_less_than_many():
    def moved(count: int) -> float:
        evidence, right = labelled(count, 0.9)
        after = confidence_of(evidence, taught_by(evidence, right)).mean()
        return abs(after - confidence_of(evidence, PRIOR).mean())

    assert moved(2) < moved(10) < moved(60)
    assert moved(2) < moved(200) / 2


def test_sharpening_keeps_the_order_and_says_how_many_it_was_taught_by():
    evidence, right = labelled(60, 0.9)
    taught = taught_by(evidence, right)
    confidences = confidence_of(evidence, taught).tolist()
    assert confidences == sorted(confidences)
    assert (taught.labelled, taught.scope, taught.right) == (60, PRIOR.scope, PRIOR.right)


def test_labels_that_contradict_the_scores_never_turn_the_curve_round():
    evidence, _ = labelled(60, 0.5)
    assert taught_by(evidence, [at < 30 for at in range(60)]).slope > 0


def test_off_topic_questions_hold_down_what_labels_with_answers_alone_would_raise():
    evidence, right = labelled(60, 1.0)
    said = confidence_of(evidence, PRIOR).tolist()
    alone = sharpen(PRIOR, said, right, [True] * 60, [])
    held = sharpen(PRIOR, said, right, [True] * 60, [0.1] * 90)
    assert moved(np.array([0.1]), held) < moved(np.array([0.1]), alone)


def test_few_labels_without_an_answer_weigh_as_many_and_at_most_five_each():
    evidence, right = labelled(60, 0.9)
    said, low = confidence_of(evidence, PRIOR).tolist(), [0.5]

    def taught(without: int) -> Calibration:
        return sharpen(PRIOR, said + low * without, right + [False] * without, [True] * 60 + [False] * without, [])

    assert taught(6).shift == pytest.approx(taught(15).shift)
    assert taught(1).shift > taught(3).shift > taught(6).shift


# --- how well it is calibrated ------------------------------------------------------------------------------------


def test_the_calibration_error_is_that_worked_out_by_hand():
    said, right = [0.1, 0.3, 0.6, 0.8], [False, False, True, False]
    # Two bins: 0.2 said and 0 so, 0.7 said and 0.5 so, each of half the mass.
    assert expected_calibration_error(said, right, 2) == pytest.approx((0.2 + 0.2) / 2)
    assert expected_calibration_error(said, right, 1) == pytest.approx(0.45 - 0.25)


def test_bins_are_of_equal_mass_whatever_the_order():
    said, right = [0.8, 0.1, 0.6, 0.3], [False, False, True, False]
    assert expected_calibration_error(said, right, 2) == pytest.approx(0.2)


def test_fewer_answers_than_bins_are_a_bin_each():
    assert expected_calibration_error([0.5, 0.75], [True, True]) == pytest.approx((0.5 + 0.25) / 2)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_the_calibration_error_is_what_the_reliability_shows(pairs):
    said, right = zip(*pairs, strict=True)
    rows = reliability(said, right)
    shown = sum(abs(row["said"] - row["was"]) * row["questions"] for row in rows) / len(said)
    assert expected_calibration_error(said, right) == pytest.approx(shown, abs=2e-4)
    assert sum(row["questions"] for row in rows) == len(said)
