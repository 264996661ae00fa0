"""Candidates are weighed by the best cosine of each kind of passage, whichever way they are found soonest."""

import json
from datetime import date

import numpy as np
import pytest

from hashing import HashingEncoder
from retriever import rows, weighing
from retriever.ranking import WEIGHTS
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
    elif rows.byte_rows(np.arange(1), np.ones(1), np.zeros((1, 64), np.float32).__getitem__) is None:
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
def test_what_is_found_is_weighed_by_every_row_of_what_passes(snapshot, filters, asked):
    weighs, vector = Weighing(snapshot), HashingEncoder().encode([asked], "query")[0]
    permit = weighs.permit(filters, None)
    ranked = weighs.rank(weighs.look_up(asked, permit), vector, permit, np.zeros(0, np.int64))
    assert sorted(ranked.ordinals) == np.flatnonzero(snapshot.allowed(filters)).tolist()
    cosines = snapshot.vectors.compare(vector, np.arange(len(snapshot.owners)))
    floor = snapshot.manifest.calibration.floor
    held = ranked.cosines(len(ranked.ordinals))
    for rank, ordinal in enumerate(ranked.ordinals):
        of_kind = {
            name: cosines[(snapshot.owners == ordinal) & (snapshot.kinds == kind)].max(initial=-1)
            for kind, name in enumerate(KINDS)
        }
        assert held[rank] == cosines[snapshot.owners == ordinal].tolist()
        best = max(of_kind.values())
        question = max(of_kind["question"], of_kind["alternate"])
        evidence = {"question": question if question > -1 else best, "entry": of_kind["entry"], "best": best}
        parts = ranked.explanation(rank).parts
        for name, cosine in evidence.items():
            assert parts[name] == pytest.approx(WEIGHTS[name] * (cosine - floor) / (1 - floor), abs=2e-6)


def test_entries_that_do_not_pass_are_not_compared(snapshot):
    weighs, vector = Weighing(snapshot), HashingEncoder().encode(["ship sea"], "query")[0]
    nearest = weighs.permit(Filters(lang="de"), None).near.nearest(vector, 9)
    assert snapshot.allowed(Filters(lang="de"))[nearest].all()


@pytest.mark.parametrize("asked", ["ship sea", "card", "week tax fee"])
def test_fewer_entries_than_there_are_are_the_nearest(snapshot, asked):
    weighs, vector = Weighing(snapshot), HashingEncoder().encode([asked], "query")[0]
    cosines = snapshot.vectors.compare(vector, np.arange(len(snapshot.owners)))
    cosines[snapshot.kinds == KINDS.index("sentence")] = -1
    best = np.maximum.reduceat(cosines, snapshot.starts[:-1])
    for wanted in range(1, len(best)):
        nearest = weighs.permit(Filters(kind="faq"), None).near.nearest(vector, wanted)
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
