"""Questions become vectors: remembered, or made, beside other work where nobody else wants the cores."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from hashing import HashingEncoder
from retriever.encoder import OnnxEncoder, read_export
from retriever.questions import Questions
from retriever.search import Searcher


def test_the_last_questions_are_remembered_and_the_others_made_again():
    encoder = HashingEncoder()
    questions = Questions(encoder, remember=2)
    for question in ("a", "b", "a", "c", "a", "b"):
        vector, made = questions.vector(question, lambda: 7)
        assert made == 7
        assert np.array_equal(vector, HashingEncoder().encode([question], "query")[0])
    assert encoder.encoded == ["a", "b", "c", "b"]


def test_what_is_remembered_cannot_be_changed():
    vector, _ = Questions(HashingEncoder(), remember=1).vector("a", list)
    with pytest.raises(ValueError, match="read-only"):
        vector[0] = 1


def test_nothing_is_remembered_unless_that_is_said():
    encoder = HashingEncoder()
    questions = Questions(encoder)
    for _ in range(2):
        questions.vector("a", list)
    assert encoder.encoded == ["a", "a"]


def test_threads_may_ask_side_by_side():
    questions = Questions(HashingEncoder(), remember=3)
    texts = [f"word {at * 7 % 11}" for at in range(5000)]
    alone = {text: HashingEncoder().encode([text], "query")[0] for text in set(texts)}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: questions.vector(text, list)[0], texts))
    assert all(np.array_equal(vector, alone[text]) for text, vector in zip(texts, found, strict=True))


@pytest.mark.model
def test_beside_other_work_or_not_the_vector_is_the_same(real_encoder):
    asked = []
    beside, plain = (Questions(real_encoder, idle=idle) for idle in (lambda: asked.append(1) or True, lambda: False))
    for question in ("How do I pay?", "", "E-1042 " * 40):
        vector, made = beside.vector(question, partial(str, question))
        assert made == question
        assert np.array_equal(vector, plain.vector(question, list)[0])
    assert len(asked) == 3


class Expecting(OnnxEncoder):
    """The encoder, which notes in `done` what it is told and asked."""

    def __init__(self, real, done):
        folder = real.files["encoder.onnx"].parent
        super().__init__(folder, read_export(folder))
        self.done = done

    def expect(self):
        self.done.append("expect")
        super().expect()

    def encode_beside(self, text, role, work):
        self.done.append("beside")
        return super().encode_beside(text, role, work)

    def encode(self, texts, role):
        self.done.append("alone")
        return super().encode(texts, role)


@pytest.mark.model
def test_a_core_is_told_of_a_question_before_it_comes_where_one_is_idle_and_the_question_new(real_encoder):
    done, idle = [], [True]
    questions = Questions(Expecting(real_encoder, done), remember=1, idle=lambda: idle[0])
    for asked, idle[0], expected in (
        ("a", True, ["expect", "beside"]),
        ("a", True, []),  # remembered
        ("b", False, ["alone"]),
        ("a", True, ["expect", "beside"]),
    ):
        done.clear()
        questions.expect(asked)
        questions.vector(asked, list)
        assert done == expected


@pytest.mark.model
def test_a_search_tells_of_its_question_first(real_encoder, run_build, index):
    run_build(encoder=real_encoder)
    done = []
    searcher = Searcher.open(index, Expecting(real_encoder, done), idle=lambda: True)
    done.clear()
    searcher.ask("How do I pay?")
    searcher.close()
    assert done == ["expect", "beside"]
