"""The sentence marked in an answer is one that a person marked by hand, before it was run."""

import json
from pathlib import Path

import pytest

from retriever.build import build
from retriever.search import Searcher

HERE = Path(__file__).parent
CORPUS = HERE.parents[1] / "corpus"
CASES = [json.loads(line) for line in (HERE / "highlights.jsonl").read_text(encoding="utf-8").splitlines()]

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def searcher(tmp_path_factory, real_encoder):
    index = tmp_path_factory.mktemp("index")
    build([CORPUS], index, real_encoder, lang="en", keep=1, progress=lambda *_: None)
    searcher = Searcher.open(index, real_encoder)
    yield searcher
    searcher.close()


def marked(searcher: Searcher, case: dict) -> str | None:
    """Return the sentence marked in the entry of `case`; None where the entry is not among the first ten."""
    hits = searcher.ask(case["question"], 10).hits
    return next((hit.highlight.text for hit in hits if hit.question == case["entry"]), None)


def test_there_are_forty_cases_and_each_is_of_an_entry_that_holds_its_sentences(searcher):
    wrong = []
    for case in CASES:
        hits = searcher.ask(case["entry"], 1).hits
        texts = [" ".join(hit.answer.text.split()) for hit in hits if hit.question == case["entry"]]
        sentences = [" ".join(text.split()) for text in (case["sentence"], *case.get("also", ()))]
        if not texts or not all(sentence in texts[0] for sentence in sentences):
            wrong.append((case["entry"], case["sentence"]))
    assert len(CASES) == 40
    assert wrong == []


def test_the_marked_sentence_is_the_one_marked_by_hand_in_28_of_40(searcher):
    found = [(case, marked(searcher, case)) for case in CASES]
    misses = [
        f"\n{case['question']} → {text if text else 'NOT FOUND: ' + case['entry']}; by hand: {case['sentence']}"
        for case, text in found
        if text not in (case["sentence"], *case.get("also", ()))
    ]
    assert len(CASES) - len(misses) >= 28, f"{len(CASES) - len(misses)} of {len(CASES)} right; not: {''.join(misses)}"
