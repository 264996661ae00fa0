"""What the command line shows: results on stdout, progress on stderr, and nothing that could drive a terminal."""

import json
from dataclasses import replace

import pytest

from hashing import SPEC
from retriever import console
from retriever.build import BuildReport
from retriever.confidence import PRIOR
from retriever.types import (
    Answer,
    AnswerText,
    Counts,
    Explanation,
    FileReport,
    FoundPassage,
    Highlight,
    Hit,
    Manifest,
    Nearest,
    Refusal,
    Source,
    Timings,
)

HIT = Hit(
    rank=1,
    entry_id="reset",
    score=0.8312,
    question="How do I reset my password?",
    answer=AnswerText("Open the settings.\n\nPress reset.", "<p>The same, marked.</p>"),
    passage=FoundPassage("answer", "Press reset.", 2),
    highlight=Highlight("Press reset.", 20, 32),
    source=Source("account.md", 12),
    link=None,
    tags=(),
    lang="en",
    kind="faq",
    metadata={},
)
ANSWER = Answer(
    question="reset it",
    answered=True,
    confidence=0.83,
    level="high",
    message=None,
    missing=(),
    corrected=None,
    snapshot="the-snapshot",
    took_ms=Timings(2.1, 0.4, 3.2),
    hits=(HIT,),
)
COUNTS = Counts(files=2, entries=3, pages=0, passages=9, split=0, merged=0, refused=0)
REPORT = BuildReport("the-snapshot", True, COUNTS, 4, 5, 1.25, (FileReport("account.md", seen=3, indexed=3),))
MANIFEST = Manifest("the-snapshot", 2, "2026-01-01T00:00:00+00:00", "c" * 64, SPEC, COUNTS, PRIOR, "en", {})
ROW = {"name": "fruit", "queries": 2, "ndcg@10": 0.8155, "success@1": 0.5, "success@5": 1.0, "recall@10": 1.0}
ROW |= {"mrr@10": 0.75, "p50_ms": 1.5, "p95_ms": 2.5}


@pytest.fixture
def shown(capsys):
    """Return a function that calls another, and returns what that put on stdout."""

    def show(function, *arguments, **named):
        function(*arguments, **named)
        return capsys.readouterr().out

    return show


# --- answers ------------------------------------------------------------------------------------------------------


def test_an_answer_shows_question_score_source_and_confidence(shown):
    out = shown(console.show_answer, ANSWER)
    assert "0.83  How do I reset my password?" in out
    assert "[account.md:12]" in out
    assert "Confidence 0.83" in out


def test_the_paragraph_that_was_found_is_marked_and_no_other(shown):
    out = shown(console.show_answer, ANSWER)
    assert "> Press reset." in out
    assert "> Open the settings." not in out


def test_a_source_on_the_web_is_shown_by_its_address(shown):
    hit = replace(HIT, source=Source("account.md", 12, url="https://example.org/account"))
    assert "[https://example.org/account]" in shown(console.show_answer, replace(ANSWER, hits=(hit,)))


def test_an_answer_that_is_none_begins_with_the_message(shown):
    out = shown(console.show_answer, replace(ANSWER, answered=False, message="No good answer."))
    assert out.startswith("No good answer.\n")


def test_only_the_first_hit_is_shown_with_its_whole_answer(shown):
    out = shown(console.show_answer, replace(ANSWER, hits=(HIT, replace(HIT, rank=2))))
    assert (out.count("Open the settings."), out.count("Press reset.")) == (1, 2)


def test_below_the_first_an_entry_found_by_its_question_shows_what_answers_and_not_the_question_again(shown):
    found = replace(HIT, rank=2, passage=FoundPassage("question", HIT.question, None))
    out = shown(console.show_answer, replace(ANSWER, hits=(HIT, found)))
    below = out.rpartition(HIT.question)
    assert out.count(HIT.question) == 2
    assert HIT.highlight.text in below[2]


def test_where_nothing_passes_the_filters_no_other_wording_is_advised(shown):
    out = shown(console.show_answer, replace(ANSWER, answered=False, message="Another wording may help.", hits=()))
    assert "no entry passes the filters" in out
    assert "wording" not in out


def test_an_explained_hit_shows_the_parts_and_what_they_add_up_to(shown):
    hit = replace(HIT, explain=Explanation(0.75, {"best": 0.5, "words": 0.25}))
    out = shown(console.show_answer, replace(ANSWER, hits=(hit,)))
    assert "0.5 best + 0.25 words\n      = 0.75\n" in out


def test_words_that_nothing_has_are_named(shown):
    assert "Nothing here mentions refunds, 2031.\n" in shown(
        console.show_answer, replace(ANSWER, missing=("refunds", "2031"))
    )


def test_a_corrected_question_is_shown(shown):
    assert shown(console.show_answer, replace(ANSWER, corrected="reset")).startswith("Searched for: reset\n")


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\r", "\x9b", "\N{RIGHT-TO-LEFT OVERRIDE}", "\x00"])
def test_nothing_of_the_corpus_can_drive_the_terminal(shown, char):
    bad = f"a{char}[2Jb"
    hit = replace(
        HIT,
        question=bad,
        answer=AnswerText(bad, ""),
        passage=FoundPassage("answer", bad, 1),
        source=Source(bad, 1),
    )
    answer = replace(ANSWER, message=bad, missing=(bad,), corrected=bad, hits=(hit,))
    assert char not in shown(console.show_answer, answer)


# --- builds -------------------------------------------------------------------------------------------------------


def test_a_build_says_what_it_encoded_reused_and_published(shown):
    out = shown(console.show_report, REPORT)
    assert "Encoded 4 texts anew, reused 5." in out
    assert "Published snapshot the-snapshot." in out


def test_a_build_of_an_unchanged_corpus_says_that_nothing_was_published(shown):
    out = shown(console.show_report, replace(REPORT, published=False))
    assert "Nothing changed since snapshot the-snapshot" in out
    assert "Published" not in out


def test_a_refusal_is_shown_with_file_line_and_reason(shown):
    bad = FileReport("bad.csv", seen=2, indexed=1, refused=(Refusal("bad.csv", 7, "a question without an answer"),))
    out = shown(console.show_report, replace(REPORT, ledger=(bad,)))
    assert "bad.csv: 1 of 2 entries, 1 refused\n  refused line 7: a question without an answer\n" in out


def test_a_file_refused_whole_is_shown_without_a_line(shown):
    bad = FileReport("bad.csv", seen=1, refused=(Refusal("bad.csv", None, "empty file"),))
    assert "  refused: empty file\n" in shown(console.show_report, replace(REPORT, ledger=(bad,)))


def test_the_total_says_loudly_how_many_were_refused(shown):
    out = shown(console.show_report, replace(REPORT, counts=replace(COUNTS, refused=2)))
    assert "2 files: 3 entries, 9 passages, 2 REFUSED\n" in out


def test_a_note_on_a_file_is_shown(shown):
    noted = FileReport("old.txt", seen=1, indexed=1, notes=("read as cp1252",))
    assert "  note: read as cp1252\n" in shown(console.show_report, replace(REPORT, ledger=(noted,)))


def test_a_file_name_and_a_reason_cannot_drive_the_terminal(shown):
    bad = FileReport("a\x1b[2J.txt", seen=1, refused=(Refusal("a", None, "b\x1b[2J"),), notes=("c\x1b[2J",))
    assert "\x1b" not in shown(console.show_report, replace(REPORT, ledger=(bad,)))


# --- the rest -----------------------------------------------------------------------------------------------------


def test_json_is_what_the_nouns_hold(shown):
    found = json.loads(shown(console.print_json, ANSWER))
    assert found["hits"][0]["source"] == {"file": "account.md", "line": 12, "url": None, "anchor": None, "title": None}


def test_a_manifest_names_snapshot_entries_encoder_and_weights(shown):
    out = shown(console.show_manifest, MANIFEST, verified=False)
    for part in ("the-snapshot", "3 from 2 files", "hashing", "0" * 64, "512 dimensions"):
        assert part in out


def test_a_manifest_says_how_near_rows_are_found(shown):
    assert "every vector compared" in shown(console.show_manifest, MANIFEST, verified=False)
    lists = replace(MANIFEST, nearest=Nearest("lists", 1024, 64, 0.9912))
    assert "64 of 1024 lists read, recall@10 0.991" in shown(console.show_manifest, lists, verified=False)


def test_only_a_verified_manifest_says_so(shown):
    assert "every digest verified" in shown(console.show_manifest, MANIFEST, verified=True)
    assert "verified" not in shown(console.show_manifest, MANIFEST, verified=False)


def test_queries_that_could_not_be_asked_are_told(shown):
    mean = {"families": 1}
    assert "fruit: 2 queries" in shown(console.show_metrics, {"sets": [ROW | {"unasked": 2}], "mean": mean})
    assert "are no question" not in shown(console.show_metrics, {"sets": [ROW], "mean": mean})


def test_metrics_are_a_table_with_a_row_a_set_and_the_mean(shown):
    oos = {"kept": 0.94, "far": {"auroc": 0.991, "rejected": 0.95}, "near": {"auroc": None, "rejected": None}}
    mean = {"families": 1, "ndcg@10": 0.8155, "success@1": 0.5}
    out = shown(console.show_metrics, {"sets": [ROW | {"oos": oos}], "mean": mean})
    header, fruit, last = (line.split() for line in out.strip().splitlines())
    assert header[:3] == ["set", "queries", "ndcg@10"]
    figures = "2 0.816 0.500 1.000 1.000 0.750 1.500 2.500 0.940 0.991 0.950"
    assert fruit == ["fruit", *figures.split()]
    assert last == ["mean", "of", "1", "families", "0.816", "0.500"]


def test_progress_in_a_log_is_a_line_a_tenth_on_stderr_alone(capsys):
    with console.showing_progress() as progress:
        for done in range(101):
            progress("encode", done, 100)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"encode: {done} of 100" for done in range(0, 101, 10)]


def test_progress_over_nothing_is_a_line_too(capsys):
    with console.showing_progress() as progress:
        progress("encode", 0, 0)
    assert capsys.readouterr().err == "encode: 0 of 0\n"
