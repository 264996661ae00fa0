"""Candidates are weighed by the best cosine of each kind of passage, whichever way that is found soonest."""

import json
from datetime import date

import numpy as np
import pytest

from hashing import HashingEncoder
from retriever import rows, weighing
from retriever.search import Searcher
from retriever.snapshot import KINDS
from retriever.types import Filters
from retriever.weighing import Weighing

ENTRIES = [
    {
        "question": "ship pay",
        "answer": "Card box. Sea day.\n\nTax fee bag. Week ship.",
        "alternates": ["pay ship", "sea"],
    },
    {"question": "card", "answer": "One.", "tags": ["a"]},
    {"question": "box sea", "answer": "First. Second sea. Third.\n\nFourth pay.\n\nFifth.", "lang": "de"},
    {"question": "fee", "answer": "Day week.", "valid_until": "2026-05-31"},
]
EVERYTHING = Filters()


@pytest.fixture(params=["bytes", "whole"], autouse=True)
def compared(request, monkeypatch):
    """Compare what no filter bars as bytes, where that can be, and whole."""
    if request.param == "whole":
        monkeypatch.setattr(weighing, "byte_rows", lambda *_: None)
    elif rows.byte_rows(np.arange(1), np.zeros((1, 64), np.float32).__getitem__) is None:
        pytest.skip("vectors are not compared as bytes here")
    return request.param


@pytest.fixture
def snapshot(run_build, index, tmp_path):
    (tmp_path / "faq.jsonl").write_text("\n".join(map(json.dumps, ENTRIES)))
    (tmp_path / "page.txt").write_text("All about the sea and its ships. Nothing of cards.\n-\nfee bag?\nweek tax.\n")
    run_build(tmp_path / "faq.jsonl", tmp_path / "page.txt")
    searcher = Searcher.open(index, HashingEncoder())
    yield searcher._snapshot
    searcher.close()


@pytest.mark.parametrize(
    "filters", [EVERYTHING, Filters(kind="page"), Filters(lang="de"), Filters(tags=("a",)), Filters(lang="fr")]
)
@pytest.mark.parametrize("asked", ["ship sea", "card", "week tax fee", "nothing"])
def test_the_best_of_each_kind_is_that_of_comparing_every_row(snapshot, filters, asked):
    weighs, vector = Weighing(snapshot), HashingEncoder().encode([asked], "query")[0]
    permit = weighs.permit(filters, None)
    passing = np.flatnonzero(snapshot.allowed(filters))
    nearest, known = permit.near.nearest(vector, len(passing))
    assert sorted(nearest) == passing.tolist()
    best = weighs._compared(vector, passing)
    if known is not None:
        assert best.tolist() == weighs._with_sentences(known[:, passing], vector, passing).tolist()
    cosines = snapshot.vectors.compare(vector, np.arange(len(snapshot.owners)))
    for at, ordinal in enumerate(passing):
        for kind in range(len(KINDS)):
            there = (snapshot.owners == ordinal) & (snapshot.kinds == kind)
            assert best[kind, at] == cosines[there].max(initial=-1)


def test_entries_that_do_not_pass_are_not_compared(snapshot):
    weighs, vector = Weighing(snapshot), HashingEncoder().encode(["ship sea"], "query")[0]
    nearest, _ = weighs.permit(Filters(lang="de"), None).near.nearest(vector, 9)
    assert snapshot.allowed(Filters(lang="de"))[nearest].all()


@pytest.mark.parametrize("asked", ["ship sea", "card", "week tax fee"])
def test_fewer_entries_than_there_are_are_the_nearest(snapshot, asked):
    weighs, vector = Weighing(snapshot), HashingEncoder().encode([asked], "query")[0]
    every = np.arange(len(snapshot.starts) - 1)
    best = weighs._compared(vector, every)[np.array(KINDS) != "sentence"].max(axis=0)
    for wanted in range(1, len(every)):
        nearest, _ = weighs.permit(Filters(kind="faq"), None).near.nearest(vector, wanted)
        faq = np.flatnonzero(snapshot.allowed(Filters(kind="faq")))
        assert len(nearest) == min(wanted, len(faq))
        assert best[nearest].min() >= np.sort(best[faq])[-len(nearest)] - 0.01


def test_what_a_filter_lets_pass_is_kept_for_the_day(snapshot):
    weighs = Weighing(snapshot)
    may, june = (weighs.permit(EVERYTHING, date(2026, month, 15)) for month in (5, 6))
    assert may.entries == june.entries + 1
    assert weighs.permit(EVERYTHING, date(2026, 6, 15)) is june
    assert weighs.permit(Filters(metadata={"a": ["b"]}), date(2026, 6, 15)).entries == 0


def test_what_questions_without_filters_are_compared_with_is_laid_together_anew_when_that_changes(snapshot):
    weighs = Weighing(snapshot)
    may, later, june = (weighs.permit(EVERYTHING, date(2026, *day)).near for day in ((5, 1), (5, 31), (6, 1)))
    assert may is later
    assert june is not may
    assert len(june._ordinals) == len(may._ordinals) - 1
