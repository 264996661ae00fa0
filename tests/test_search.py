"""A question finds the k best entries, one hit each, and says honestly what each is worth."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hashing import HashingEncoder
from retriever.build import build
from retriever.errors import EncoderMismatch, InputError
from retriever.lexical import Lexical
from retriever.passages import passages_of
from retriever.ranking import WEIGHTS
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
    """120 entries in three files and page texts, open; and a function that weighs every entry without any short cut."""
    folder, encoder = tmp_path_factory.mktemp("many"), HashingEncoder()
    (folder / "corpus").mkdir()
    for file in range(3):
        lines = [json.dumps(_entry(number)) for number in range(file * 40, file * 40 + 40)]
        (folder / "corpus" / f"{file}.jsonl").write_text("\n".join(lines))
    (folder / "corpus" / "page.txt").write_text("ship pay card\n\nbox sea day\n-\nfee bag?\nweek tax.\n")
    build([folder / "corpus"], folder / "index", encoder, lang="en", keep=1, progress=lambda *_: None)
    entries = sorted(read_corpus([folder / "corpus"]).entries, key=lambda entry: entry.id)
    passages = [passages_of(entry, encoder.fit) for entry in entries]
    vectors = [encoder.encode([p.text for p in found], "passage") for found in passages]
    searcher = Searcher.open(folder / "index", encoder)
    manifest = searcher.manifest
    lexical = Lexical(folder / "index" / "snapshots" / manifest.id, manifest.lang, len(entries))
    floor = manifest.calibration.floor

    def weigh(question: str) -> list[tuple]:
        """Return every entry with the score that it should be ordered by."""
        query = encoder.encode([question], "query")[0]
        shares = lexical.look_up(question).scores(np.arange(len(entries)))
        weighed = []
        for at, entry in enumerate(entries):
            cosines = (vectors[at] @ query).tolist()
            asked = [c for c, p in zip(cosines, passages[at], strict=True) if p.kind in {"question", "alternate"}]
            whole = [c for c, p in zip(cosines, passages[at], strict=True) if p.kind == "entry"]
            evidence = {"question": max(asked or cosines), "entry": max(whole), "best": max(cosines)}
            evidence = {name: (cosine - floor) / (1 - floor) for name, cosine in evidence.items()}
            evidence |= zip(("words_question", "words", "pairs", "exact"), shares[:, at], strict=True)
            weighed.append((entry, sum(WEIGHTS[name] * float(value) for name, value in evidence.items())))
        return weighed

    yield searcher, weigh
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
def test_the_k_hits_pass_the_filters_and_each_weighs_what_it_should(many, question, k, filters):
    searcher, weigh = many
    scores = {entry.id: score for entry, score in weigh(question) if passes(entry, filters)}
    hits = searcher.ask(question, k, filters, explain=True).hits
    assert len({hit.entry_id for hit in hits}) == len(hits) == min(k, len(scores))
    assert [hit.explain.total for hit in hits] == pytest.approx([scores[hit.entry_id] for hit in hits], abs=1e-5)
    assert [hit.explain.total for hit in hits] == pytest.approx(
        sorted((hit.explain.total for hit in hits), reverse=True), abs=1e-5
    )


@settings(deadline=None)
@given(TEXTS, st.integers(1, 50), FILTERS.map(lambda filters: replace(filters, lang="de", kind="faq")))
def test_where_few_entries_pass_the_hits_are_those_of_brute_force(many, question, k, filters):
    searcher, weigh = many
    scores = [score for entry, score in weigh(question) if passes(entry, filters)]
    hits = searcher.ask(question, k, filters, explain=True).hits
    assert [hit.explain.total for hit in hits] == pytest.approx(sorted(scores, reverse=True)[:k], abs=1e-5)


@settings(deadline=None)
@given(TEXTS)
def test_the_first_hit_of_many_is_that_of_brute_force(many, question):
    searcher, weigh = many
    best = max(score for entry, score in weigh(question) if entry.kind == "faq")
    assert searcher.ask(question, 1, explain=True).hits[0].explain.total == pytest.approx(best, abs=1e-5)


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
    # The same words in another order are the same vector and the same shares.
    answers = [" ".join(order) for order in permutations(["box", "fee", "sea", "tax"])]
    ids = [f"id-{number:02}" for number in range(len(answers))]
    entries = [
        {"_id": name, "question": "The same?", "answer": answer}
        for name, answer in zip(reversed(ids), answers, strict=True)
    ]
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
def test_a_question_that_is_found_has_no_paragraph_and_the_answer_marks_its_sentence(searcher, question, kind):
    hit = searcher.ask(question).hits[0]
    assert (hit.passage.kind, hit.passage.paragraph, hit.score) == (kind, None, 1.0)
    assert hit.answer.html == "<p><mark>Yes, within a month.</mark></p>"


def test_a_sentence_and_the_entry_as_one_text_are_never_the_passage_that_is_named(run_build, index, tmp_path):
    entry = {"question": "May I pay?", "answer": "The shop takes every card. The zebra comes on every Monday."}
    hit = searcher_of(run_build, index, tmp_path, entry).ask("the zebra comes on every monday").hits[0]
    assert (hit.passage.kind, hit.passage.text) == ("answer", entry["answer"])
    assert hit.highlight.text == "The zebra comes on every Monday."


def test_of_a_split_paragraph_the_part_that_is_found_is_named(run_build, index, tmp_path):
    long = "Before that, nothing happens. " * 8 + "Then the zebra comes. " + "After that, nothing happens. " * 8
    searcher = searcher_of(run_build, index, tmp_path, {"question": "What?", "answer": long})
    hit = searcher.ask("zebra then comes the").hits[0]
    assert "zebra" in hit.passage.text
    assert len(hit.passage.text) < len(long) / 2
    assert hit.passage.paragraph == 1
    assert long[hit.highlight.start : hit.highlight.end] == hit.highlight.text


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


@settings(deadline=None)
@given(TEXTS)
def test_the_parts_of_an_explanation_add_up_to_its_total(many, question):
    for hit in many[0].ask(question, 10, explain=True).hits:
        assert sum(hit.explain.parts.values()) == pytest.approx(hit.explain.total, abs=1e-6)
        assert set(hit.explain.parts) == set(WEIGHTS)


def test_an_explained_answer_is_the_answer(searcher):
    plain, explained = (searcher.ask("may I return a parcel", explain=flag) for flag in (False, True))
    assert [replace(hit, explain=None) for hit in explained.hits] == list(plain.hits)
    assert explained.confidence == plain.confidence


def test_without_explain_nothing_is_explained(searcher):
    assert searcher.ask("shipping").hits[0].explain is None


# --- the decision -------------------------------------------------------------------------------------------------


def test_a_near_question_is_answered_without_a_message(searcher):
    answer = searcher.ask("how long does shipping take", min_confidence=0.5)
    assert (answer.answered, answer.message, answer.level) == (True, None, "high")


def test_a_question_is_less_sure_the_less_of_it_is_found(searcher):
    asked = ["how long does shipping take", "how long shipping", "how long yacht xylophone", "yacht xylophone quartz"]
    confidences = [searcher.ask(question).confidence for question in asked]
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[0] > confidences[-1]


def test_no_answer_keeps_the_hits_and_says_so(index, run_build):
    run_build()
    answer = Searcher.open(index, HashingEncoder(), message="Ask us.").ask("zebras do fly")
    assert (answer.answered, answer.message) == (False, "Ask us.")
    assert len(answer.hits) == 4


def test_the_least_confidence_decides(searcher):
    question = "how long is it to an island"
    confidence = searcher.ask(question).confidence
    assert searcher.ask(question, min_confidence=confidence - 0.01).answered
    below = searcher.ask(question, min_confidence=confidence + 0.01)
    assert (below.answered, below.level) == (False, "none")


def test_an_answer_names_the_snapshot_and_its_times(searcher):
    answer = searcher.ask("shipping")
    assert answer.snapshot == searcher.manifest.id
    assert answer.took_ms.total == pytest.approx(answer.took_ms.encode + answer.took_ms.search, abs=0.01)


def test_a_question_without_a_word_that_carries_matter_is_answered_by_what_is_near_alone(run_build, index, tmp_path):
    entry = {"question": "What can you do?", "answer": "Find what was written."}
    searcher = searcher_of(run_build, index, tmp_path, entry)
    for begun in ("how do", "can I", "what is", "is it"):
        assert (searcher.ask(begun).answered, searcher.ask(begun).confidence) == (False, 0.0)
    assert searcher.ask("what can you do").answered


# --- words that nothing has, and misspellings ---------------------------------------------------------------------


def test_a_distinguishing_word_that_nothing_has_is_named_and_confidence_is_never_high(searcher):
    answer = searcher.ask("how long does shipping take to Zanzibar")
    assert answer.missing == ("Zanzibar",)
    assert answer.confidence < 0.8


def test_without_that_word_the_same_question_misses_nothing(searcher):
    answer = searcher.ask("how long does shipping take")
    assert answer.missing == ()
    assert answer.confidence >= 0.8


def test_among_few_entries_a_word_that_is_no_name_counts_where_half_of_all_are_lacking(searcher):
    lacking = searcher.ask("how long does juggling take")
    assert lacking.missing == ("juggling",)
    assert lacking.confidence < 0.8
    one_of_three = searcher.ask("how long does shipping by juggling take", min_confidence=0.0)
    assert one_of_three.missing == ()


def test_a_number_that_the_first_hit_does_not_have_is_missing(searcher):
    assert searcher.ask("how long does shipping take in 2031").missing == ("2031",)


def test_what_is_denied_and_nothing_in_the_first_hit_denies_is_missing_and_confidence_is_never_high(searcher):
    answer = searcher.ask("how long does shipping take without parcel")
    assert answer.missing[-1:] == ("without parcel",)
    assert answer.confidence < 0.8


def test_words_that_carry_no_matter_are_never_missing(searcher):
    assert searcher.ask("please tell me whether I can, could or should send it back, and who would").missing == ()


@pytest.mark.parametrize("question", ["can't I send it back", "what's the shipping", "I'd send it back, we'll see"])
def test_what_an_apostrophe_cuts_off_is_not_missing(searcher, question):
    assert searcher.ask(question).missing == ()


COMPOUND = {"question": "What is W0611 unused-import?", "answer": "See a.b and lib/core for the drive-in of it."}


@pytest.mark.parametrize("word", ["unused-import", "W0611", "a.b", "lib/core", "drive-in"])
def test_a_compound_that_the_entry_has_is_not_missing(run_build, index, tmp_path, word):
    assert searcher_of(run_build, index, tmp_path, COMPOUND).ask(f"what is {word}").missing == ()


@pytest.mark.parametrize("word", ["W0612", "a.c"])
def test_a_code_that_nothing_has_is_missing(run_build, index, tmp_path, word):
    assert searcher_of(run_build, index, tmp_path, COMPOUND).ask(f"what is {word}").missing == (word,)


def test_what_only_a_tag_or_an_alternate_has_is_not_missing(run_build, index, tmp_path):
    entry = {"question": "Why?", "answer": "So.", "tags": ["zebra"], "alternates": ["How yacht?"]}
    assert searcher_of(run_build, index, tmp_path, entry).ask("why a zebra on a yacht").missing == ()


def test_a_misspelt_question_is_searched_as_it_was_meant_and_shown_as_it_was_typed(searcher):
    typed = searcher.ask("how long does shiping take")
    assert typed.question == "how long does shiping take"
    assert typed.corrected == "how long does shipping take"
    assert typed.hits == searcher.ask("how long does shipping take").hits


def test_a_question_without_a_slip_is_not_corrected(searcher):
    assert searcher.ask("how long does shipping take").corrected is None


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


def test_an_entry_that_was_found_before_is_shown_as_it_was_though_its_file_changed(searcher, index):
    before = searcher.ask("shipping").hits
    (path,) = index.glob("snapshots/*/entries.jsonl")
    path.chmod(0o644)
    path.write_bytes(b"")
    assert searcher.ask("shipping").hits == before


def test_files_deleted_under_an_open_snapshot_change_no_answer(searcher, index):
    before = searcher.ask("shipping").hits
    for path in index.glob("snapshots/*/*"):
        path.unlink()
    assert searcher.ask("shipping").hits == before


# --- questions that were asked before -----------------------------------------------------------------------------


def asking(index, **options):
    """Return a searcher and the encoder that counts what it was given, with nothing counted yet."""
    encoder = HashingEncoder()
    searcher = Searcher.open(index, encoder, **options)
    encoder.encoded.clear()
    return searcher, encoder


def test_a_question_that_is_remembered_is_encoded_once_and_answered_the_same(run_build, index):
    run_build()
    searcher, encoder = asking(index, remember=10)
    first, second = (searcher.ask("How long does shipping take?") for _ in range(2))
    assert encoder.encoded == ["How long does shipping take?"]
    assert (first.hits, first.confidence) == (second.hits, second.confidence)
    searcher.close()


def test_questions_that_are_misspelt_are_remembered_as_they_were_meant(run_build, index):
    run_build()
    searcher, encoder = asking(index, remember=10)
    for question in ("How long does shipping take?", "How long does shiping take?"):
        searcher.ask(question)
    assert len(encoder.encoded) == 1
    searcher.close()


def test_no_more_questions_are_remembered_than_were_said_to_be(run_build, index):
    run_build()
    searcher, encoder = asking(index, remember=2)
    for question in ("one", "two", "three", "one"):
        searcher.ask(question)
    assert encoder.encoded == ["one", "two", "three", "one"]
    searcher.close()


def test_nothing_is_remembered_unless_that_is_said(run_build, index):
    run_build()
    searcher, encoder = asking(index)
    for _ in range(2):
        searcher.ask("one")
    assert encoder.encoded == ["one", "one"]
    searcher.close()
