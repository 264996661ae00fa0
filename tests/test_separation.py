"""Whether confidence can separate anything is told at build, without a label."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hashing import HashingEncoder
from retriever import console
from retriever.build import build
from retriever.defaults import off_topic_questions
from retriever.passages import passages_of
from retriever.separation import LEAST_QUESTIONS, separation_of, warning_of
from retriever.snapshot import read_manifest
from retriever.types import Entry, Paragraph, Separation, Source

GOOD = Separation(100, own=0.97, near=0.65, far=0.99)


def entry(number: int, question: str, answer: str) -> Entry:
    return Entry(f"e{number:04}", question, (Paragraph(answer, ""),), Source("faq.md", number, None, None))


def faq(count: int, turned: int = 0) -> list[Entry]:
    """Return entries whose answers share a word with their question; `turned` gives each another's answer."""
    return [entry(at, f"Why thing{at}?", f"Since thing{(at + turned) % count}.") for at in range(count)]


def separation(entries: list[Entry]) -> Separation | None:
    encoder = HashingEncoder()
    passages = [(at, passage) for at, one in enumerate(entries) for passage in passages_of(one, encoder.fit)]
    vectors = encoder.encode([passage.text for _, passage in passages], "passage")
    owners, kinds = np.array([at for at, _ in passages]), np.array([passage.kind for _, passage in passages])
    off_topic = encoder.encode(off_topic_questions(), "query")
    return separation_of(entries, owners, kinds == "question", kinds == "answer", vectors, off_topic)


def test_questions_that_are_nearest_to_their_own_answers_separate():
    found = separation(faq(60))
    assert found.own > 0.95
    assert found.near > 0.9
    assert warning_of(found) is None


def test_answers_that_stand_with_other_questions_separate_nothing():
    found = separation(faq(60, turned=7))
    assert found.near == pytest.approx(0.5, abs=0.02)
    assert "hardly nearer to its own answer" in warning_of(found)


def test_one_answer_to_everything_separates_nothing():
    alike = [replace(one, answer=(Paragraph("Ask our staff.", ""),)) for one in faq(40)]
    assert separation(alike).near == 0.5
    assert warning_of(separation(alike))


def test_an_answer_that_several_entries_give_is_each_one_s_own():
    several = [entry(at, f"Is thing{at // 2} {at}?", f"Since thing{at // 2}.") for at in range(60)]
    assert separation(several).near > 0.9


def test_answers_that_are_nearer_to_off_topic_questions_are_told():
    anything = [
        entry(at, f"Gizmo {at} quux?", question) for at, question in enumerate(off_topic_questions()[:LEAST_QUESTIONS])
    ]
    found = separation(anything)
    assert found.far < 0.2
    assert warning_of(replace(found, near=1.0)).startswith("confidence will say little: the answers are hardly nearer")


def test_few_questions_say_nothing():
    assert separation(faq(LEAST_QUESTIONS)) is not None
    assert separation(faq(LEAST_QUESTIONS - 1)) is None
    assert warning_of(None) is None


def test_page_texts_are_no_questions():
    pages = [replace(one, kind="page") for one in faq(60)]
    assert separation(pages) is None
    assert separation([*faq(40), *pages[40:]]).questions == 40


def test_of_a_large_corpus_a_thousand_entries_are_taken():
    assert separation(faq(1100)).questions == 1000


def test_what_is_found_twice_is_the_same():
    assert separation(faq(60)) == separation(faq(60))


@pytest.mark.parametrize(
    ("change", "warns"),
    [
        ({}, False),
        ({"near": 0.5}, False),  # an FAQ of near-twins: its own answer stands above most all the same
        ({"own": 0.8}, False),
        ({"near": 0.5, "own": 0.8}, True),
        ({"far": 0.7}, True),
    ],
)
def test_it_takes_both_or_the_far_to_warn(change, warns):
    assert bool(warning_of(replace(GOOD, **change))) is warns


# --- in a build ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, index):
    """Return a function that builds a corpus of entries."""

    def run_(entries: list[Entry]):
        lines = [json.dumps({"question": one.question, "answer": one.answer[0].text}) for one in entries]
        (tmp_path / "faq.jsonl").write_text("\n".join(lines))
        return build([tmp_path / "faq.jsonl"], index, HashingEncoder(), lang="en", keep=2, progress=lambda *_: None)

    return run_


def test_a_build_that_cannot_tell_warns_and_publishes(run):
    report = run(faq(40, turned=7))
    assert report.published
    assert [warning[:27] for warning in report.warnings] == ["confidence will say little:"]


def test_a_build_that_can_tell_is_silent_and_keeps_the_figures(run, index, capsys):
    assert run(faq(40)).warnings == ()
    manifest = read_manifest(index)
    assert manifest.calibration.separation.questions == 40
    console.show_manifest(manifest, verified=True)
    assert f"AUROC {manifest.calibration.separation.near:.2f} near" in capsys.readouterr().out


def test_a_build_that_changes_nothing_warns_again_and_measures_nothing(run, monkeypatch):
    first = run(faq(40, turned=7))
    monkeypatch.setattr("retriever.build.encode.separation_of", None)  # calling it would fail
    again = run(faq(40, turned=7))
    assert not again.published
    assert again.warnings == first.warnings
