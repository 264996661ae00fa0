"""Labelled questions sharpen the confidence, and speak against a snapshot that answers them worse."""

import json
from dataclasses import replace
from functools import partial

import pytest

from hashing import HashingEncoder
from retriever.build import build
from retriever.defaults import off_topic_questions
from retriever.errors import CorpusError
from retriever.review import LEAST_LABELLED, LEAST_SEPARATION, review
from retriever.search import Searcher
from retriever.snapshot import read_entries, read_gate, read_manifest, snapshot_ids
from retriever.types import Recalled

OPEN = ("When do you open?", ["When do you open?"])
PARCEL = ("Send the parcel back, may I?", ["May I return a parcel?"])


def write(corpus, *labelled: tuple[str, list[str]]):
    lines = [json.dumps({"question": question, "ids": ids}) for question, ids in labelled]
    (corpus / "golden.jsonl").write_text("\n".join(lines))


def add(corpus, question: str, answer: str):
    (corpus / "more.jsonl").write_text(json.dumps({"question": question, "answer": answer}))


@pytest.fixture
def run(corpus, index):
    """Return a function that builds the corpus and replays its labelled questions."""

    def run_(*recalled, force=False, encoder=None, keep=5):
        encoder, quiet = encoder or HashingEncoder(), lambda *_: None
        look = partial(
            review, index=index, encoder=encoder, min_confidence=0.3, force=force, progress=quiet, recalled=recalled
        )
        recalls = bool(recalled)
        return build([corpus], index, encoder, lang="en", keep=keep, progress=quiet, review=look, recalls=recalls)

    return run_


def many(count: int) -> list[tuple[str, list[str]]]:
    return [(f"When do you open on day {day}?", ["When do you open?"]) for day in range(count)]


# --- the report ---------------------------------------------------------------------------------------------------


def test_without_labelled_questions_there_is_no_gate(run, index):
    report = run()
    assert report.gate is None
    assert read_gate(index, report.snapshot) is None


def test_what_is_answered_rightly_is_counted(run, corpus):
    write(corpus, OPEN, ("Who painted the chapel?", []), ("Which cards do you accept?", ["When do you open?"]))
    gate = run().gate
    assert (gate.judged, gate.right, gate.against, gate.right_before) == (3, 2, None, None)
    assert [(wrong.line, wrong.now.question) for wrong in gate.wrong] == [(3, "Which cards do you accept?")]


def test_an_answer_where_none_was_wanted_is_wrong(run, corpus):
    write(corpus, ("When do you open?", []))
    assert run().gate.right == 0


def test_the_report_stays_with_the_snapshot_and_under_its_digests(run, corpus, index):
    write(corpus, OPEN)
    report = run()
    assert read_gate(index, report.snapshot) == report.gate
    assert "gate.json" in read_manifest(index).files


def test_an_id_that_is_not_there_is_a_finding_and_is_not_judged(run, corpus):
    write(corpus, OPEN, ("Where do you live?", ["gone"]))
    report = run()
    assert report.published
    assert [finding.line for finding in report.gate.findings] == [2]
    assert report.gate.judged == 1


def test_a_line_that_cannot_be_read_stops_the_build_and_is_named(run, corpus, index):
    served = run().snapshot
    (corpus / "golden.jsonl").write_text('{"question": "Why?", "ids": []}\n{"question": "Why not?"}\n')
    with pytest.raises(CorpusError, match=r"golden\.jsonl:2: ids: "):
        run()
    assert snapshot_ids(index) == [served]


# --- when it is replayed ------------------------------------------------------------------------------------------


def test_nothing_is_replayed_when_neither_corpus_nor_questions_changed(run, corpus):
    write(corpus, OPEN)
    first, encoder = run(), HashingEncoder()
    second = run(encoder=encoder)
    assert (second.published, second.snapshot, second.gate) == (False, first.snapshot, first.gate)
    assert encoder.encoded == []


@pytest.mark.parametrize("change", [lambda c: write(c, OPEN, PARCEL), lambda c: (c / "golden.jsonl").unlink()])
def test_other_questions_are_another_snapshot(run, corpus, change):
    write(corpus, OPEN)
    first = run()
    change(corpus)
    second = run()
    assert second.published
    assert second.snapshot != first.snapshot


# --- the gate -----------------------------------------------------------------------------------------------------


def test_a_question_that_was_right_and_is_wrong_is_not_published(run, corpus, index):
    write(corpus, OPEN)
    served = run()
    add(corpus, "When do you open? When do you open?", "Never.")
    (corpus / "about.txt").unlink()
    report = run()
    assert (report.published, report.snapshot, report.gate.regressions) == (False, served.snapshot, 1)
    (difference,) = report.gate.differences
    assert (difference.before.question, difference.now.question) == (
        "When do you open?",
        "When do you open? When do you open?",
    )
    assert (difference.before.right, difference.now.right, difference.regression) == (True, False, True)
    assert snapshot_ids(index) == [served.snapshot]
    assert not list(index.glob(".building-*"))


def test_an_answer_where_none_is_wanted_is_not_published_if_there_was_none_before(run, corpus):
    write(corpus, ("Do you sell whole elephants?", []))
    run()
    add(corpus, "Do you sell whole elephants?", "Sometimes.")
    report = run()
    assert not report.published
    assert not report.gate.differences[0].before.answered


def test_forced_it_is_published_and_says_so(run, corpus, index):
    write(corpus, ("Do you sell whole elephants?", []))
    run()
    add(corpus, "Do you sell whole elephants?", "Sometimes.")
    report = run(force=True)
    assert report.published
    assert read_gate(index, report.snapshot).forced


def test_what_was_wrong_before_does_not_hold_a_build_up(run, corpus):
    write(corpus, ("Do you sell whole elephants?", ["Which cards do you accept?"]))
    run()
    add(corpus, "Do you sell whole elephants?", "Sometimes.")
    report = run()
    assert report.published
    assert (report.gate.regressions, len(report.gate.differences)) == (0, 1)


def test_an_improvement_is_told_and_published(run, corpus):
    write(corpus, ("Do you sell whole elephants?", ["Do you sell whole elephants?"]))
    assert run().gate.findings
    add(corpus, "Do you sell whole elephants?", "Sometimes.")
    gate = run().gate
    assert (gate.right_before, gate.right, gate.findings) == (0, 1, ())
    assert gate.differences[0].now.answered


def test_a_wanted_entry_that_is_gone_is_a_regression(run, corpus):
    write(corpus, OPEN)
    run()
    (corpus / "about.txt").unlink()
    report = run()
    assert not report.published
    assert report.gate.findings


def test_against_an_encoder_that_cannot_be_had_there_is_no_comparison(run, corpus):
    write(corpus, OPEN)
    run()
    report = run(encoder=HashingEncoder(weights="2" * 64))
    assert report.published
    assert report.gate.against is None


# --- the curve ----------------------------------------------------------------------------------------------------

# As few labelled questions as can teach the curve, a tenth of them without an answer.
ENOUGH = [*many(LEAST_LABELLED - 2), ("Who painted the chapel?", []), ("Is it raining?", [])]


def test_enough_labels_move_the_curve_and_the_manifest_says_how_many(run, corpus, index):
    write(corpus, *ENOUGH)
    report = run()
    calibration = read_manifest(index).calibration
    assert calibration.labelled == LEAST_LABELLED
    assert (calibration.slope, calibration.shift) != (1.0, 0.0)
    assert report.warnings == ()


@pytest.mark.parametrize("labelled", [ENOUGH[1:], [*many(LEAST_LABELLED), ENOUGH[-1]]], ids=["few", "no-answer"])
def test_too_few_labels_leave_it_and_a_warning_says_so(run, corpus, index, labelled):
    write(corpus, *labelled)
    report = run()
    assert (read_manifest(index).calibration.labelled, read_manifest(index).calibration.slope) == (0, 1.0)
    assert f"it takes {LEAST_LABELLED} labelled questions" in report.warnings[0]


def test_what_the_gate_says_is_what_the_snapshot_then_answers(run, corpus, index):
    write(corpus, *ENOUGH, ("Which elephants do you accept?", []), ("Do you accept a parcel?", []))
    gate = run().gate
    searcher = Searcher.open(index, HashingEncoder())
    for wrong in gate.wrong:
        answer = searcher.ask(wrong.question)
        assert answer.confidence == pytest.approx(wrong.now.confidence, abs=2e-4)
        assert answer.answered == wrong.now.answered
    searcher.close()
    assert gate.wrong


def test_a_decision_that_only_new_labels_moved_is_told_and_holds_nothing_up(run, corpus, searcher):
    barely = "month of cards"
    first = searcher.ask(barely)
    assert 0.3 < first.confidence < 0.6
    write(corpus, (barely, [first.hits[0].question]))
    run()
    # Answers where none are wanted: the curve learns to say less.
    rest = [("month of cards" + "?" * marks, []) for marks in range(1, 61)]
    write(corpus, (barely, [first.hits[0].question]), *rest)
    report = run()
    assert report.published
    assert [d.question for d in report.gate.differences if d.before.right and not d.now.right] == [barely]


def test_a_confidence_that_separates_nothing_is_a_warning(run, corpus):
    write(corpus, *[(question, ["When do you open?"]) for question in off_topic_questions()[:12]])
    report = run()
    assert report.gate.separation < LEAST_SEPARATION
    assert "AUROC" in report.warnings[-1]


# --- questions that were asked before -----------------------------------------------------------------------------

ASKED = Recalled("Send the parcel back, may I?")


def entry_id_of(index, question: str) -> str:
    return next(entry.id for entry in read_entries(index) if entry.question == question)


def test_the_first_build_has_nothing_to_compare_them_with(run):
    assert run(ASKED).gate.asked == 0


def test_what_is_answered_as_before_is_counted_and_not_shown(run, corpus):
    run()
    add(corpus, "Is there a lighthouse?", "Yes, by the sea.")
    gate = run(ASKED, Recalled("How long does shipping take?")).gate
    assert (gate.asked, gate.shifts, gate.judged, gate.refuses) == (2, (), 0, False)


def test_what_is_answered_by_another_entry_is_shown_and_is_published(run, corpus, index):
    run()
    add(corpus, "Send the parcel back, may I?", "No.")
    report = run(ASKED)
    (shift,) = report.gate.shifts
    assert (shift.before.question, shift.now.question) == ("May I return a parcel?", "Send the parcel back, may I?")
    assert (report.published, shift.regression) == (True, False)
    assert read_gate(index, report.snapshot) == report.gate


def test_what_helped_and_is_not_given_any_more_refuses_unless_forced(run, corpus, index):
    run()
    recalled = replace(ASKED, helpful=frozenset({entry_id_of(index, "May I return a parcel?")}))
    add(corpus, "Send the parcel back, may I?", "No.")
    report = run(recalled)
    assert (report.published, report.gate.refuses, report.gate.regressions) == (False, True, 1)
    forced = run(recalled, force=True)
    assert (forced.published, forced.gate.forced) == (True, True)


def test_what_helped_and_was_removed_stops_no_build(run, corpus, index):
    run()
    recalled = replace(ASKED, helpful=frozenset({entry_id_of(index, "May I return a parcel?")}))
    lines = (corpus / "shop.jsonl").read_text().splitlines(keepends=True)
    (corpus / "shop.jsonl").write_text("".join(line for line in lines if "return a parcel" not in line))
    report = run(recalled)
    assert report.published
    assert [shift.regression for shift in report.gate.shifts] == [False]


def test_a_question_that_is_labelled_is_not_replayed_twice(run, corpus):
    run()
    write(corpus, PARCEL)
    assert run(ASKED).gate.asked == 0


def test_they_build_nothing_that_did_not_change(run):
    run()
    report = run(ASKED)
    assert (report.published, report.gate) == (False, None)


def test_they_teach_the_confidence_nothing_and_warn_of_nothing(run, corpus, index):
    run()
    before = read_manifest(index).calibration
    (corpus / "golden.jsonl").write_text("")
    add(corpus, "Is there a lighthouse?", "Yes, by the sea.")
    report = run(*(Recalled(f"When do you open on day {day}?") for day in range(30)))
    assert read_manifest(index).calibration.labelled == before.labelled == 0
    assert not [warning for warning in report.warnings if "labelled" in warning]
