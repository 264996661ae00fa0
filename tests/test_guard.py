"""What a question must not lose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever import guard
from retriever.guard import content_words, denied


def test_content_words_are_those_that_carry_matter_each_once():
    assert content_words("How do I pay, and where do I pay by bank transfer?") == ["pay", "bank", "transfer"]


def test_a_compound_stays_whole():
    assert content_words("what is the unused-import W0611") == ["unused-import", "W0611"]


@pytest.mark.parametrize(
    ("question", "phrase"),
    [
        ("Can I send it back without receipt?", "without receipt"),
        ("what if the parcel never arrived", "never arrived"),
        ("my card wasn't charged", "wasn't charged"),
        ("the app doesn’t start", "doesn’t start"),
        ("is it true that there is NO fee", "NO fee"),
    ],
)
def test_what_a_question_denies_is_named_where_the_text_denies_nothing(question, phrase):
    assert denied(question, "Send it back with the receipt.") == (phrase,)


@pytest.mark.parametrize("text", ["You need no receipt.", "It can't be sent.", "Without a receipt, ask us."])
def test_a_text_that_denies_something_may_answer_it(text):
    assert denied("Can I send it back without receipt?", text) == ()


@pytest.mark.parametrize("question", ["can't I send it back", "why don't you ship to Spain", "isn't there a form"])
def test_a_question_in_the_form_of_a_denial_denies_nothing(question):
    assert denied(question, "Send it back.") == ()


def test_a_question_that_denies_nothing_is_free():
    assert denied("how do I send it back, or a note about nothing", "Send it back.") == ()


@given(
    st.lists(st.sampled_from(["no", "NOT", "n't", "n’t", "never", "withOUT", "cannot", "don", " ", "pay", "it", "ſ"]))
)
def test_what_is_told_sooner_is_what_looking_closely_tells(parts):
    question = "".join(parts)
    close = guard._DENIED.search(question)
    assert denied(question, "") == ((f"{close[1]} {close[2]}",) if close else ())
