"""A question finds the k nearest entries, one hit each, and says honestly how near they are."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing import HashingEncoder
from retriever.build import build
from retriever.errors import EncoderMismatch, InputError, SnapshotDamaged
from retriever.passages import passages_of
from retriever.readers import read_corpus
from retriever.search import Searcher
from retriever.types import Filters

# --- against brute force ------------------------------------------------------------------------------------------

WORDS = ["ship", "pay", "card", "box", "sea", "day", "week", "tax", "fee", "bag"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)


def _entry(number: int) -> dict:
    random = np.random.default_rng(number)
    text = lambda most: " ".join(random.choice(WORDS, random.integers(1, most)))  # noqa: E731
    return {
        "question": text(4) + "?",
        "answer": "\n\n".join(text(60) for _ in range(random.integers(1, 12))),
        "alternates": [text(5) for _ in range(random.integers(0, 3))],
        "tags": [tag for tag in "abc" if random.random() < 0.3],
        "lang": "de" if random.random() < 0.2 else "en",
    }


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """120 entries in three files and page texts, open, with every entry's vectors beside it."""
    folder, encoder = tmp_path_factory.mktemp("many"), HashingEncoder()
    (folder / "corpus").mkdir()
    for file in range(3):
        lines = [json.dumps(_entry(number)) for number in range(file * 40, file * 40 + 40)]
        (folder / "corpus" / f"{file}.jsonl").write_text("\n".join(lines))
    (folder / "corpus" / "page.txt").write_text("ship pay card\n\nbox sea day\n-\nfee bag?\nweek tax.\n")
    build([folder / "corpus"], folder / "index", encoder, lang="en", keep=1, progress=lambda *_: None)
    entries = read_corpus([folder / "corpus"]).entries
    vectors = [encoder.encode([p.text for p in passages_of(entry, encoder.fit)], "passage") for entry in entries]
    searcher = Searcher.open(folder / "index", encoder)
    yield searcher, list(zip(entries, vectors, strict=True))
    searcher.close()


FILTERS = st.builds(
    Filters,
    tags=st.lists(st.sampled_from("abcd"), max_size=2).map(tuple),
    source=st.lists(st.sampled_from(["0.jsonl", "1.jsonl", "page.txt", "nowhere.md"]), max_size=2).map(tuple),
    lang=st.sampled_from([None, "en", "de", "fr"]),
    kind=st.sampled_from(["faq", "faq", "faq", "page"]),
)


def passes(entry, filters: Filters) -> bool:
    return (
        entry.kind == filters.kind
        and (not filters.tags or bool({*entry.tags} & {*filters.tags}))
        and (not filters.source or entry.source.file in filters.source)
        and filters.lang in {None, entry.lang}
    )


@settings(deadline=None)
@given(TEXTS, st.integers(1, 50), FILTERS)
def test_the_k_hits_are_those_of_brute_force_among_what_passes_the_filters(many, question, k, filters):
    searcher, entries = many
    query = HashingEncoder().encode([question], "query")[0]
    scores = {entry.id: float((vectors @ query).max()) for entry, vectors in entries if passes(entry, filters)}
    answer = searcher.ask(question, k, filters)
    assert [hit.score for hit in answer.hits] == pytest.approx(sorted(scores.values(), reverse=True)[:k], abs=2e-6)
    assert all(hit.score == pytest.approx(scores[hit.entry_id], abs=2e-6) for hit in answer.hits)
    assert len({hit.entry_id for hit in answer.hits}) == len(answer.hits)


@settings(deadline=None)
@given(TEXTS, st.integers(1, 50))
def test_fewer_hits_are_the_first_of_more(many, question, k):
    ids = [[hit.entry_id for hit in many[0].ask(question, most).hits] for most in (k, 50)]
    assert ids[0] == ids[1][:k]


@settings(deadline=None)
@given(TEXTS)
def test_a_score_is_the_cosine_of_the_passage_that_is_named(many, question):
    encoder = HashingEncoder()
    for hit in many[0].ask(question).hits:
        pair = encoder.encode([question, hit.passage.text], "query")
        assert hit.score == pytest.approx(float(pair[0] @ pair[1]), abs=2e-6)


def test_eight_threads_get_the_answers_of_one(many):
    questions = [" ".join(WORDS[n : n + 3]) for n in range(8)] * 20
    ask = lambda question: many[0].ask(question, explain=True).hits  # noqa: E731
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, questions)) == list(map(ask, questions))


# --- hits ---------------------------------------------------------------------------------------------------------


def searcher_of(run_build, index, tmp_path, *entries: dict) -> Searcher:
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, entries)))
    run_build(tmp_path / "own.jsonl")
    return Searcher.open(index, HashingEncoder())


def test_an_entry_is_one_hit_however_many_of_its_passages_match(searcher):
    hits = searcher.ask("shipping take two days islands wait a week").hits
    assert len([hit for hit in hits if hit.question == "How long does shipping take?"]) == 1


def test_equal_scores_are_in_the_order_of_entry_ids(run_build, index, tmp_path):
    ids = [f"id-{number:02}" for number in range(23)]
    entries = [{"_id": name, "question": "The same?", "answer": f"number{name}"} for name in reversed(ids)]
    searcher = searcher_of(run_build, index, tmp_path, *entries)
    assert [hit.entry_id for hit in searcher.ask("the same", 10).hits] == ids[:10]


def test_a_hit_is_its_entry(searcher, corpus):
    hit = searcher.ask("which cards do you accept").hits[0]
    (entry,) = [e for e in read_corpus([corpus]).entries if e.question == "Which cards do you accept?"]
    assert (hit.entry_id, hit.source, hit.tags, hit.lang) == (entry.id, entry.source, ("money",), "de")


def test_ranks_count_from_one(searcher):
    assert [hit.rank for hit in searcher.ask("anything", 4).hits] == [1, 2, 3, 4]


def test_more_than_there_is_gives_all_entries(searcher):
    assert len(searcher.ask("anything", 50).hits) == 4


def test_the_found_passage_names_its_paragraph_and_is_marked(searcher):
    hit = searcher.ask("islands wait a week").hits[0]
    assert (hit.passage.kind, hit.passage.text, hit.passage.paragraph) == ("answer", "Islands wait a week.", 2)
    assert hit.answer.html == "<p>Two days.</p>\n<p><mark>Islands wait a week.</mark></p>"
    assert hit.answer.text == "Two days.\n\nIslands wait a week."


@pytest.mark.parametrize(("question", "kind"), [("may I return a parcel", "question"), ("send it back", "alternate")])
def test_a_question_that_is_found_has_no_paragraph_and_no_mark(searcher, question, kind):
    hit = searcher.ask(question).hits[0]
    assert (hit.passage.kind, hit.passage.paragraph, hit.answer.html) == (kind, None, "<p>Yes, within a month.</p>")
    assert hit.score == 1.0


def test_of_a_split_paragraph_the_part_that_is_found_is_named_and_marked(run_build, index, tmp_path):
    long = "Before that, nothing happens. " * 8 + "Then the zebra comes. " + "After that, nothing happens. " * 8
    searcher = searcher_of(run_build, index, tmp_path, {"question": "What?", "answer": long})
    hit = searcher.ask("zebra then comes the").hits[0]
    assert "zebra" in hit.passage.text
    assert len(hit.passage.text) < len(long) / 2
    assert hit.passage.paragraph == 1
    assert re.findall("<mark>(.*?)</mark>", hit.answer.html) == [hit.passage.text]


def test_the_tail_of_a_long_paragraph_is_found(run_build, index, tmp_path):
    searcher = searcher_of(run_build, index, tmp_path, {"question": "What?", "answer": "word " * 300 + "zebra"})
    assert "zebra" in searcher.ask("zebra").hits[0].passage.text


def test_page_texts_are_never_among_entries(searcher):
    assert all(hit.kind == "faq" for hit in searcher.ask("a small shop by the sea", 50).hits)


def test_page_texts_are_found_when_asked_for(searcher):
    (hit,) = searcher.ask("a small shop by the sea", filters=Filters(kind="page")).hits
    assert (hit.kind, hit.passage.text) == ("page", "We are a small shop by the sea.")


def test_a_filter_that_nothing_passes_gives_no_hits_and_no_answer(searcher):
    answer = searcher.ask("shipping", filters=Filters(tags=("nothing",)))
    assert (answer.hits, answer.answered, answer.confidence) == ((), False, 0)
    assert answer.message


def test_filters_of_one_name_are_or_and_of_several_and(searcher):
    def found(**filters):
        return {hit.question[:3] for hit in searcher.ask("anything", filters=Filters(**filters)).hits}

    assert found(tags=("post", "money")) == {"How", "Whi"}
    assert found(tags=("post", "money"), lang="de") == {"Whi"}
    assert found(source=("about.txt",)) == {"Whe"}


def test_explain_gives_the_best_score_of_each_kind_among_the_candidates(searcher):
    hit = searcher.ask("may I return a parcel", explain=True).hits[0]
    assert hit.explain["question"] == hit.score == 1.0
    assert set(hit.explain) == {"question", "alternate", "answer"}


def test_without_explain_nothing_is_explained(searcher):
    assert searcher.ask("shipping").hits[0].explain is None


# --- the decision -------------------------------------------------------------------------------------------------


def test_a_near_question_is_answered_without_a_message(searcher):
    answer = searcher.ask("how long does shipping take")
    assert (answer.answered, answer.confidence, answer.message) == (True, 1.0, None)


def test_no_answer_keeps_the_hits_and_says_so(index, run_build):
    run_build()
    answer = Searcher.open(index, HashingEncoder(), message="Ask us.").ask("zebras do fly")
    assert (answer.answered, answer.message) == (False, "Ask us.")
    assert len(answer.hits) == 4


def test_the_least_confidence_decides(searcher):
    question = "how long does the post take"
    confidence = searcher.ask(question).confidence
    assert searcher.ask(question, min_confidence=confidence - 0.01).answered
    assert not searcher.ask(question, min_confidence=confidence + 0.01).answered


def test_an_answer_names_the_snapshot_and_its_times(searcher):
    answer = searcher.ask("shipping")
    assert answer.snapshot == searcher.manifest.id
    assert answer.took_ms.total == pytest.approx(answer.took_ms.encode + answer.took_ms.search, abs=0.01)


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"question": ""}, "question"),
        ({"question": " \n\u3000"}, "question"),
        ({"question": "x" * 1001}, "question"),
        ({"question": "half \ud800"}, "question"),
        ({"k": 0}, "k"),
        ({"k": 51}, "k"),
        ({"k": -1}, "k"),
        ({"min_confidence": 2.0}, "min_confidence"),
        ({"min_confidence": float("nan")}, "min_confidence"),
    ],
)
def test_what_is_out_of_bounds_is_an_error_that_names_its_field(searcher, asked, field):
    with pytest.raises(InputError) as caught:
        searcher.ask(**({"question": "fine"} | asked))
    assert caught.value.field == field


@pytest.mark.parametrize("asked", [{"question": "x" * 1000}, {"k": 1}, {"k": 50}, {"min_confidence": 1.0}])
def test_the_bounds_themselves_are_taken(searcher, asked):
    assert searcher.ask(**({"question": "fine"} | asked)).hits


@pytest.mark.parametrize(
    "question", ["?", "\x00", "\u200b", "😀" * 1000, "<script>", "'; DROP TABLE", "\u202e", "a\nb"]
)
def test_any_text_can_be_asked(searcher, question):
    assert searcher.ask(question).question == question


# --- what does not fit together -----------------------------------------------------------------------------------


def test_another_encoder_is_refused_and_both_are_named(run_build, index):
    run_build()
    with pytest.raises(EncoderMismatch) as caught:
        Searcher.open(index, HashingEncoder(model="other", weights="f" * 64))
    assert all(
        text in str(caught.value) for text in ("hashing", "other", "0" * 64, "f" * 64, "retriever build --model")
    )


@pytest.mark.parametrize(
    "change",
    [{"tokenizer": "9" * 64}, {"pooling": "max"}, {"query_prompt": "q: "}, {"precision": "int8"}, {"window": 9}],
)
def test_every_difference_of_the_encoder_is_refused_by_its_name(run_build, index, change):
    run_build()
    with pytest.raises(EncoderMismatch, match=next(iter(change))):
        Searcher.open(index, HashingEncoder(**change))


def test_the_same_encoder_under_another_name_is_taken(run_build, index):
    run_build()
    assert Searcher.open(index, HashingEncoder(model="elsewhere")).ask("shipping").hits


@pytest.mark.parametrize("content", [b"", b"x" * 5000])
def test_entries_that_change_under_an_open_snapshot_are_refused(searcher, index, content):
    (path,) = index.glob("snapshots/*/entries.jsonl")
    path.chmod(0o644)
    path.write_bytes(content)
    with pytest.raises(SnapshotDamaged, match=r"entries\.jsonl"):
        searcher.ask("shipping")


def test_files_deleted_under_an_open_snapshot_change_no_answer(searcher, index):
    before = searcher.ask("shipping").hits
    for path in index.glob("snapshots/*/*"):
        path.unlink()
    assert searcher.ask("shipping").hits == before
