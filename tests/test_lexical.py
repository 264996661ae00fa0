"""Words on an absolute scale: shares compare between questions, codes are found as they stand, slips are put right."""

import math
import re
from collections import Counter
from typing import NamedTuple

import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from retriever.lexical import (
    Analyzer,
    Lexical,
    Occurrences,
    Spelling,
    TermIndex,
    bm25_columns,
    index_words,
    is_code,
    keys_of,
)
from retriever.lexical.terms import CHUNK, asked_pairs, pair_keys
from retriever.types import Entry, Paragraph, Source


def entry(question: str, answer: str = "", *alternates: str) -> Entry:
    paragraphs = tuple(Paragraph(text, f"<p>{text}</p>") for text in answer.split("\n\n") if text)
    return Entry("id", question, paragraphs, Source("a.md"), alternates=alternates)


LINT = [
    entry("What is W0611 unused-import?", "An import that is not used.\n\nSee also a.b and lib/core."),
    entry("What is W0612 unused-variable?", "A variable to which nothing is ever assigned, an import of sorts unused."),
    entry("How do I silence a message?", "Put a comment behind the line, or an option into the configuration."),
    entry("Which editors show messages?", "All that speak the protocol.", "Does Emacs?"),
]


@pytest.fixture
def lexical(tmp_path):
    """Write entries, the four of LINT unless others are given, and open what was written."""

    def write(*entries: Entry, lang: str = "en", known: tuple[str, ...] = ()) -> Lexical:
        index_words(entries or LINT, lang, known).write(tmp_path)
        return Lexical(tmp_path, lang, len(entries or LINT))

    return write


class Scores(NamedTuple):
    """What words say of some entries, by name."""

    question: np.ndarray
    words: np.ndarray
    pairs: np.ndarray
    exact: np.ndarray


def score(lexical: Lexical, asked: str) -> Scores:
    """Return what the words of `asked` say of every entry."""
    found = lexical.look_up(asked)
    return Scores(*found.scores(np.arange(found.count)))


# --- shares -------------------------------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from(["ship", "pay", "card", "sea", "day", "tax", "absent"]), max_size=6)
DOCUMENTS = st.lists(st.lists(st.sampled_from(["ship", "pay", "card", "sea", "day", "tax"]), max_size=8), min_size=1)


class Opened(TermIndex):
    """An index of documents, a list of terms each."""

    def __init__(self, documents) -> None:
        terms = sorted({term for document in documents for term in document})
        numbers = [terms.index(term) for document in documents for term in document]
        entries = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
        found = Occurrences(np.array(numbers, np.int64), entries)
        super().__init__(bm25_columns(keys_of(terms), found, len(documents)), len(documents))

    def shares(self, asked, unknown):
        return self.share(keys_of(asked).tolist(), unknown).at(np.arange(self.count, dtype=np.int32))


@settings(deadline=None)  # the first of them loads the engine
@given(DOCUMENTS, WORDS, st.sampled_from([0.0, 0.5, 1.0]))
def test_a_share_is_the_bm25_by_the_book_over_the_rarity_of_what_was_asked(documents, asked, unknown):
    count, average = len(documents), sum(map(len, documents)) / len(documents)
    held = Counter(term for document in documents for term in set(document))
    idf = {term: math.log(1 + (count - held[term] + 0.5) / (held[term] + 0.5)) for term in {*asked}}
    total = sum(idf[term] * (1 if held[term] else unknown) for term in {*asked})
    expected = []
    for document in documents:
        norm = 1.2 * (1 - 0.75 + 0.75 * len(document) / average) if average else 1
        tf = Counter(document)
        found = sum(idf[term] * tf[term] / (tf[term] + norm) for term in {*asked})
        expected.append(found / total if total else 0.0)
    assert Opened(documents).shares(asked, unknown).tolist() == pytest.approx(expected, abs=1e-5)


@settings(deadline=None)  # the first of them loads the engine
@given(DOCUMENTS.filter(any))
def test_every_score_is_that_of_bm25s(documents):
    terms = sorted({term for document in documents for term in document})
    engine = bm25s.BM25(method="lucene", k1=1.2, b=0.75)
    ids = [[terms.index(term) for term in document] for document in documents]
    found = engine.build_index_from_ids(range(len(terms)), ids, show_progress=False)
    index = Opened(documents)
    for number, term in enumerate(terms):
        start, end = found["indptr"][number : number + 2]
        column = index.column(term)
        assert column.entries.tolist() == found["indices"][start:end].tolist()
        assert column.values.tolist() == pytest.approx(found["data"][start:end].tolist(), rel=1e-6)
        assert column.most == max(column.values)


@settings(deadline=None)  # the first of them loads the engine
@given(DOCUMENTS, WORDS)
def test_a_share_is_between_nothing_and_one(documents, asked):
    shares = Opened(documents).shares(asked, 0.5)
    assert ((shares >= 0) & (shares <= 1)).all()


@settings(deadline=None)  # the first of them loads the engine
@given(DOCUMENTS, st.lists(st.sampled_from(["ship", "pay", "card"]), min_size=1, max_size=3))
def test_words_that_nothing_has_lower_the_share(documents, asked):
    index = Opened(documents)
    plain, more = index.shares(asked, 0.5), index.shares([*asked, "absent", "gone"], 0.5)
    assert (more[plain > 0] < plain[plain > 0]).all()


def test_a_word_asked_twice_counts_once(lexical):
    words = lexical()
    assert score(words, "import import").words.tolist() == score(words, "import").words.tolist()


def test_every_share_of_real_text_is_between_nothing_and_one(lexical):
    words = lexical()
    for asked in [e.question for e in LINT] + ["unused", "W0611", '"is not used" a.b', "?", "zebra"]:
        scores = score(words, asked)
        for shares in (scores.question, scores.words, scores.pairs, scores.exact):
            assert shares.shape == (len(LINT),)
            assert ((shares >= 0) & (shares <= 1)).all()


@pytest.mark.parametrize("at", range(len(LINT)))
def test_an_entrys_own_question_has_the_highest_share_of_every_field(lexical, at):
    scores = score(lexical(), LINT[at].question)
    assert [int(np.argmax(shares)) for shares in (scores.question, scores.words, scores.pairs)] == [at] * 3


def test_an_alternate_counts_as_the_question_does(lexical):
    assert score(lexical(), "Emacs").question.argmax() == 3


def test_a_word_of_the_answer_is_none_of_the_question(lexical):
    scores = score(lexical(), "protocol")
    assert scores.question.tolist() == [0] * 4
    assert scores.words.argmax() == 3


def test_the_rarity_of_a_word_is_one_where_nothing_has_it_and_falls_with_every_entry_that_does(lexical):
    words = lexical()
    assert words.rarity("zebra") == 1
    assert 1 > words.rarity("emac") > words.rarity("import") > words.rarity("what") * 0.99 > 0


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Lexical:
    """300 entries of few words, some of them codes, some in nearly every entry."""
    random, folder = np.random.default_rng(5), tmp_path_factory.mktemp("shop")
    words = np.array(["the", "how", "ship", "pay", "card", "sea", "day", "tax", "E1", "E2", "a.b", "gift", "bag"])
    common = np.array([30, 20, 5, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1]) / 76
    texts = [" ".join(random.choice(words, random.integers(1, 9), p=common)) for _ in range(600)]
    index_words([entry(q, a) for q, a in zip(texts[::2], texts[1::2], strict=True)], "en", ()).write(folder)
    return Lexical(folder, "en", 300)


ASKED = ["the", "how", "ship", "pay", "card", "sea", "E1", "a.b", "gift", "zebra", '"the sea"', '"pay the tax"', "bag"]


@settings(deadline=None)  # the first of them loads the engine
@given(
    st.lists(st.sampled_from(ASKED), max_size=7).map(" ".join),
    st.integers(1, 40),
    st.integers(0, 9) | st.none(),
    st.sampled_from([0, 300]),
)
def test_the_best_by_words_are_those_that_weighing_every_entry_finds(shop, asked, count, seed, few):
    allowed = np.ones(300, np.bool_) if seed is None else np.random.default_rng(seed).random(300) < seed / 9
    scores = score(shop, asked)
    total = np.where(allowed, scores.words + scores.pairs + scores.exact, 0)
    expected = [at for at in np.argsort(-total, kind="stable")[:count].tolist() if total[at] > 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retriever.lexical.asked._FEW", few)
        assert shop.look_up(asked).best(count, None if seed is None else allowed).tolist() == expected


@pytest.mark.parametrize("asked", ["how the ship", "E1 the", '"the sea" how'])
def test_scores_are_the_same_whichever_entries_are_weighed(shop, asked, monkeypatch):
    some, everything = np.array([299, 0, 17, 4]), score(shop, asked)
    monkeypatch.setattr("retriever.lexical.asked._FEW", 0)
    assert shop.look_up(asked).scores(some).tolist() == [shares[some].tolist() for shares in everything]


@pytest.mark.parametrize("asked", ["unused import", "W0611 or 'sorted by'", "?!"])
def test_scores_are_the_same_without_compiled_code(lexical, asked, monkeypatch):
    compiled = score(lexical(), asked)
    monkeypatch.setattr("retriever.lexical.columns.library", lambda: None)
    assert [shares.tolist() for shares in score(lexical(), asked)] == [shares.tolist() for shares in compiled]


# --- exactly ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["W0611", "w0611", "what does W0611 mean?", "a.b", "LIB/CORE", "is it in lib/core?"])
def test_a_code_is_found_in_the_entry_that_has_it_and_in_no_other(lexical, asked):
    assert score(lexical(), asked).exact.tolist() == [1, 0, 0, 0]


def test_a_code_that_is_nearly_the_same_is_another(lexical):
    assert score(lexical(), "W0613").exact.tolist() == [0] * 4
    assert score(lexical(), "a.bc").exact.tolist() == [0] * 4


def test_a_hyphened_name_weighs_more_whole_than_its_words_apart(lexical):
    whole = score(lexical(), "unused-import").words
    apart = score(lexical(), "unused import").words
    assert whole.argmax() == apart.argmax() == 0
    assert whole[0] / whole[1] > apart[0] / apart[1]


@pytest.mark.parametrize("quotes", ['"{}"', "`{}`", "“{}”", "'{}'", "what does '{}' say?"])
def test_a_quoted_phrase_is_found_as_it_stands(lexical, quotes):
    assert score(lexical(), quotes.format("import that is not used")).exact.tolist() == [1, 0, 0, 0]


def test_the_same_words_in_another_order_are_not_the_phrase(lexical):
    assert score(lexical(), '"used is import not that"').exact.tolist() == [0] * 4


def test_an_apostrophe_quotes_nothing(lexical):
    assert score(lexical(), "isn't that import's use").exact.tolist() == [0] * 4


def test_of_two_codes_the_entry_with_one_has_part(lexical):
    exact = score(lexical(), "W0611 or W0612").exact
    assert exact[:2].tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("chunk", ["W0611", "a.b", "lib/core", "snake_case", "camelCase", "a@b", "c++x", "C#x", "x86"])
def test_a_code_is_told(chunk):
    assert is_code(chunk)


@pytest.mark.parametrize("chunk", ["word", "Word", "2031", "well-known", "3.5"])
def test_a_word_or_number_is_no_code(chunk):
    assert not is_code(chunk)


@pytest.fixture(scope="module")
def lint(tmp_path_factory) -> Lexical:
    folder = tmp_path_factory.mktemp("lexical")
    index_words(LINT, "en", ()).write(folder)
    return Lexical(folder, "en", len(LINT))


# --- spelling -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("how do I silense a mesage", "how do I silence a message"),
        ("varable", "variable"),
        ("Varable", "variable"),
        ("configuartion", "configuration"),
        ("cofigurtion", "configuration"),
        ("impotr?", "import?"),
        ("the ediotr, please", "the ediotr, please"),  # editors is two slips off a word of six letters
    ],
)
def test_a_misspelt_word_becomes_the_corpuss_own(lexical, typed, meant):
    assert lexical(known=("please",)).correct(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "editor editing edited",  # other forms of a word that the corpus has
        "comment line option",
        "W0613 w0610 W061",
        "2031 12345",
        "a.c lib/cor unusd-import snake_cse",
        "`varable` \"varable\" 'varable' “varable”",
        "VARABLE varAble",
        "lin se cmt",
        "zebra xylophone",
        "don't isn't",
    ],
)
def test_what_may_be_meant_is_left_alone(lexical, typed):
    assert lexical().correct(typed) == typed


@pytest.mark.parametrize(("typed", "meant"), [("tpye", "type"), ("tye", "tye"), ("tyype", "type"), ("typ", "typ")])
def test_a_short_word_with_a_letter_moved_or_too_many_is_put_right(lexical, typed, meant):
    assert lexical(entry("Which type is it?")).correct(typed) == meant


def test_a_short_word_with_one_other_letter_is_another_word(lexical):
    assert lexical(entry("Which type is it?")).correct("a typo") == "a typo"


def test_a_word_of_the_language_is_left_alone_though_it_is_near_one_of_the_corpus(lexical):
    assert lexical().correct("massage") == "message"
    assert lexical(known=("massage",)).correct("massage massages") == "massage massages"


@settings(deadline=None)  # a busy machine is no fault
@given(st.lists(st.sampled_from([*"?!.,'\" \n", *(word for e in LINT for word in e.question.split())])).map(" ".join))
def test_words_of_the_corpus_are_never_corrected(lint, text):
    assert lint.correct(text) == text


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(max_size=60))
def test_only_words_are_corrected(lint, text):
    without = [re.sub(r"[^\W\d_]", "", found) for found in (text, lint.correct(text))]
    assert without[0] == without[1]


LETTERS = st.text("abcd", min_size=4, max_size=10)


@settings(deadline=None)  # the first of them loads the engine
@given(st.lists(LETTERS, min_size=1, max_size=30), LETTERS)
def test_the_nearest_word_is_the_one_that_comparing_every_word_finds(corpus_words, typed):
    counts = Counter(corpus_words)
    speller = Spelling(Spelling.index(counts, (), Analyzer("xx")), Analyzer("xx"))
    most = 1 if len(typed) < 8 else 2
    slips = {word: OSA.distance(typed, word) for word in counts}
    near = [
        (n, w[0] != typed[0], -counts[w], w)
        for w, n in slips.items()
        if n == 1 or (n <= most and w[0] == typed[0])
        if len(typed) > 4 or len(w) != 4 or sorted(w) == sorted(typed)
    ]
    expected = min(near)[-1] if near and typed not in counts else typed
    assert speller.correct(typed) == expected


# --- languages, and nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lang", "one", "other", "same"),
    [
        ("en", "refunds", "refunded", True),
        ("en-GB", "refunds", "refunded", True),
        ("de", "Häuser", "Hauses", True),
        ("de", "Versicherungen", "versicherung", True),
        ("xx", "refunds", "refunded", False),
        ("xx", "Refunds", "refunds", True),
    ],
)
def test_words_are_stemmed_by_their_language(lang, one, other, same):
    words = Analyzer(lang).words
    assert (words(one) == words(other)) is same


def test_a_german_corpus_is_found_by_another_form_of_its_words(lexical):
    own = entry("Was kosten Versicherungen?", "Fast nichts."), entry("Wann wird geliefert?", "Morgen.")
    assert score(lexical(*own, lang="de"), "die Versicherung").words.argmax() == 0


@pytest.mark.parametrize("entries", [[entry("?")], [entry("?"), entry("", "!")], [entry("Why?"), entry("?", "-")]])
def test_entries_without_words_are_no_trouble(lexical, entries):
    words = lexical(*entries)
    scores = score(words, "why 'oh why' W0611")
    assert scores.words[-1] == scores.question[-1] == scores.pairs[-1] == scores.exact[-1] == 0
    assert words.correct("why") == "why"


def test_a_question_without_words_has_no_share_of_anything(lexical):
    scores = score(lexical(), "?! …")
    assert not any(shares.any() for shares in (scores.question, scores.words, scores.pairs, scores.exact))


def test_what_is_written_twice_is_the_same_bytes(tmp_path):
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        index_words(LINT, "en", {"some", "words", "known"}).write(tmp_path / name)
        written.append((tmp_path / name / "lexical.bin").read_bytes())
    assert written[0] == written[1]


def test_words_carried_over_give_the_index_that_reading_all_anew_gives():
    more = [entry("Is a b.c the same?", "It isn't: see lib/core."), entry("Where?", "don't know"), entry("?")]
    kept: dict[bytes, bytes] = {}
    for entries in (LINT, [*LINT, *more], [*reversed(LINT), more[1], LINT[0]], more, [more[2]], LINT):
        carried, anew = index_words(entries, "en", ("known",), kept), index_words(entries, "en", ("known",))
        assert carried.arrays.keys() == anew.arrays.keys()
        for name, array in anew.arrays.items():
            assert np.array_equal(carried.arrays[name], array), name
            assert carried.arrays[name].dtype == array.dtype


def test_what_is_kept_holds_no_words_that_are_gone():
    kept: dict[bytes, bytes] = {}
    index_words(LINT, "en", (), kept)
    index_words(LINT[:1], "en", (), kept)
    assert [b"unused" in value for value in kept.values()] == [True]
    assert [b"protocol" in value for value in kept.values()] == [False]


@pytest.mark.parametrize("damaged", [b"", b"no message at all", b"\x80"])
def test_words_that_were_kept_and_cannot_be_read_are_read_anew(damaged):
    kept: dict[bytes, bytes] = {}
    index_words(LINT, "en", (), kept)
    rotten = dict.fromkeys(kept, damaged)
    carried, anew = index_words(LINT, "en", (), rotten).arrays, index_words(LINT, "en", ()).arrays
    assert all(np.array_equal(carried[name], anew[name]) for name in anew)
    assert rotten == kept


def test_texts_that_were_read_before_are_not_read_again(monkeypatch):
    kept: dict[bytes, bytes] = {}
    index_words(LINT, "en", (), kept)
    monkeypatch.setattr("retriever.lexical.tokens.WORD", None)  # reading any would fail
    index_words([LINT[2], LINT[0]], "en", (), kept)
    with pytest.raises(AttributeError):
        index_words([entry("New?")], "en", (), kept)


# --- what is done sooner ------------------------------------------------------------------------------------------

CHUNKY = st.text(st.sampled_from("aBz09_.-/:@+#²é '\"`"), max_size=12)


@given(CHUNKY)
def test_a_text_that_cannot_have_a_code_has_none(text):
    chunks = [chunk for chunk in CHUNK.findall(text) if len(chunk) > 1 and is_code(chunk)]
    assert len(Analyzer("en").codes(text)) == len({chunk.lower() for chunk in chunks})


@given(st.text(st.sampled_from("aBzé²09_./"), min_size=1, max_size=6))
def test_whether_a_chunk_is_a_code_is_told_by_its_characters(chunk):
    digits, letters = any(map(str.isdigit, chunk)), any(map(str.isalpha, chunk))
    camel = re.search("[a-z][A-Z]", chunk) is not None
    mixed = digits and letters and len(chunk) >= 3
    assert is_code(chunk) == (mixed or "_" in chunk or "/" in chunk or ("." in chunk and letters) or camel)


@given(st.lists(st.sampled_from(["ship", "pay", "card"]), max_size=6))
def test_pairs_of_a_question_are_those_of_the_index(words):
    keys = keys_of(dict.fromkeys(words)) if words else np.zeros(0, np.uint64)
    by_word = dict(zip(dict.fromkeys(words), keys.tolist(), strict=True))
    asked = [by_word[word] for word in words]
    pairs = pair_keys(np.array(asked[:-1], np.uint64), np.array(asked[1:], np.uint64))
    assert asked_pairs(asked) == list(dict.fromkeys(pairs.tolist()))


def test_a_question_whose_words_are_right_comes_back_as_it_was_typed(lexical):
    words = lexical()
    assert words.correct("  Import, 'UNUSED'  variable? ") == "  Import, 'UNUSED'  variable? "
