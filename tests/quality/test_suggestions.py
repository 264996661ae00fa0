"""Somebody who types, with a slip or without, is soon shown the question that is meant: on the FAQ of this product."""

import random
import re
from pathlib import Path

import pytest

from retriever.guard import FUNCTION_WORDS
from retriever.readers import read_corpus
from retriever.suggest import Suggester, index_questions

CORPUS = Path(__file__).parents[2] / "corpus"
SHOWN, SEED = 6, 7


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """The questions of the product's FAQ, and a function that tells whether one is among those suggested."""
    entries = [entry for entry in read_corpus([CORPUS]).entries if entry.kind == "faq"]
    folder = tmp_path_factory.mktemp("suggest")
    index_questions(entries).write(folder)
    suggester = Suggester(folder, FUNCTION_WORDS)

    def shows(typed: str, question: str) -> bool:
        return question in [entries[at].question for at, number in suggester.look_up(typed).best(SHOWN) if number == 0]

    return [entry.question for entry in entries], shows


def slipped(text: str, rng: random.Random) -> str:
    """Return `text` with two letters of its first dozen characters exchanged."""
    at = rng.choice(
        [at for at in range(1, 12) if re.fullmatch("[a-z]{2}", text[at : at + 2]) and text[at] != text[at + 1]]
    )
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def share(found: list[bool]) -> float:
    assert len(found) >= 40
    return sum(found) / len(found)


def test_after_twelve_characters_nearly_every_question_is_suggested(product):
    questions, shows = product
    assert share([shows(question[:12], question) for question in questions]) >= 0.95


def test_after_sixteen_characters_with_a_slip_nearly_every_question_is_suggested(product):
    questions, shows = product
    rng = random.Random(SEED)
    assert share([shows(slipped(question, rng)[:16], question) for question in questions]) >= 0.9


def test_the_second_half_of_a_question_suggests_it(product):
    questions, shows = product
    halves = [" ".join(question.split()[len(question.split()) // 2 :]) for question in questions]
    assert share([shows(half, question) for half, question in zip(halves, questions, strict=True)]) >= 0.95


def test_function_words_alone_never_hide_a_question_that_begins_so(product):
    questions, shows = product
    begun = [question for question in questions if question.startswith("What is ")]
    assert begun
    assert sum(shows("what is ", question) for question in begun) == min(len(begun), SHOWN)
