"""An entry found becomes a hit: its passage, its sentence where it says, marked in the HTML and named in the link."""

import re
from html import unescape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashing import HashingEncoder
from retriever.lexical import Analyzer
from retriever.passages import passages_of, sentences
from retriever.readers.markup import paragraphs
from retriever.show import Card, Stems
from retriever.types import Entry, Explanation, Hit, Source

WORDS = Analyzer("en").words
ZEBRA = Stems.of({"zebra": 1.0})


def entry(answer: str, *, markup: str = "text", question: str = "Why?", url=None, anchor=None, **more) -> Entry:
    return Entry("id", question, tuple(paragraphs(answer, markup)), Source("a.md", 3, url, anchor), **more)


def show(found: Entry, asked: str, explanation: Explanation | None = None) -> Hit:
    """Return the hit of an entry for a question, with the hashing encoder's cosines."""
    encoder = HashingEncoder()
    passages = passages_of(found, encoder.fit)
    cosines = encoder.encode([p.text for p in passages], "passage") @ encoder.encode([asked], "query")[0]
    return Card(found, passages, WORDS).hit(
        7, cosines, Stems.of(dict.fromkeys(WORDS(asked), 1.0)), "valid", explanation
    )


def squeezed(text: str) -> str:
    return "".join(text.split())


TWO = "The shop is by the sea in the south. The zebra comes on every Monday.\n\nIt is closed on every Sunday of May."


def test_the_sentence_with_the_words_of_the_question_is_highlighted():
    assert show(entry(TWO), "when does the zebra come").highlight.text == "The zebra comes on every Monday."


def test_a_paragraph_of_one_sentence_can_be_highlighted():
    highlight = show(entry(TWO), "is it closed of May").highlight
    assert highlight.text == "It is closed on every Sunday of May."
    assert highlight.start == TWO.index("It is")


def test_where_no_sentence_stands_out_the_lead_is_highlighted():
    assert show(entry(TWO), "xylophone yacht").highlight.text == "The shop is by the sea in the south."


PROBLEM = "The zebra does not come, how sad.\nSolution:\nRing the bell and wait by the sea."


def test_where_a_way_is_asked_for_the_solution_is_highlighted_and_else_what_is_nearest():
    found = entry(PROBLEM)
    passages = passages_of(found, len)
    near = np.array([float("zebra" in p.text) for p in passages], np.float32)
    card = Card(found, passages, WORDS)
    texts = [card.hit(1, near, ZEBRA, "valid", None, way=way).highlight.text for way in (True, False, True)]
    assert texts == ["Ring the bell and wait by the sea.", "The zebra does not come, how sad.", texts[0]]


def test_a_line_that_leads_on_is_not_highlighted_however_near_it_is():
    found = entry("When does the zebra come?\nThis is when the zebra comes:\nOn every Monday of the month.")
    assert show(found, "when does the zebra come").highlight.text == "On every Monday of the month."


def test_the_text_of_an_answer_parts_its_paragraphs_by_a_blank_line():
    assert show(entry(TWO), "zebra").answer.text == TWO


def test_the_html_marks_exactly_the_sentence():
    hit = show(entry(TWO), "when does the zebra come")
    assert re.findall("<mark>(.*?)</mark>", hit.answer.html) == ["The zebra comes on every Monday."]
    assert re.sub("</?mark>", "", hit.answer.html) == "\n".join(p.html for p in entry(TWO).answer)


def test_the_passage_is_the_nearest_of_question_alternates_and_paragraphs_and_the_score_its_cosine():
    found = entry(TWO, question="Does the zebra come?", alternates=("zebra Monday",))
    hit = show(found, "zebra monday")
    assert (hit.passage.kind, hit.passage.text, hit.passage.paragraph, hit.score) == (
        "alternate",
        "zebra Monday",
        None,
        1.0,
    )


def test_a_sentence_is_never_the_passage_though_it_is_nearest():
    hit = show(entry(TWO), "the zebra comes on every monday")
    assert (hit.passage.kind, hit.passage.paragraph, hit.passage.text) == ("answer", 1, TWO.partition("\n")[0])
    assert hit.score < 0.9


def test_a_hit_is_its_entry():
    explanation = Explanation(0.5, {"best": 0.5})
    found = entry("So.", tags=("a",), lang="de", metadata={"b": 1})
    hit = show(found, "why", explanation)
    assert (hit.rank, hit.entry_id, hit.question, hit.source) == (7, "id", "Why?", found.source)
    assert (hit.tags, hit.lang, hit.kind, hit.metadata, hit.explain) == (("a",), "de", "faq", {"b": 1}, explanation)


def test_what_a_caller_does_to_metadata_reaches_no_later_hit():
    found = entry("Because.", metadata={"category": "Help", "for": ["all"]})
    card = Card(found, passages_of(found, len), Analyzer("en").words)
    for _ in range(2):
        hit = card.hit(1, np.ones(3, np.float32), Stems.of({}), "valid", None)
        assert hit.metadata == {"category": "Help", "for": ["all"]}
        hit.metadata["for"].append("none")
        hit.metadata.clear()


def test_a_page_text_is_shown_too():
    hit = show(entry(TWO, kind="page"), "when does the zebra come")
    assert (hit.kind, hit.passage.kind, hit.highlight.text) == ("page", "answer", "The zebra comes on every Monday.")


# --- the link -----------------------------------------------------------------------------------------------------


def test_a_link_opens_the_source_at_the_sentence():
    found = entry(TWO, url="https://example.org/faq", anchor="zebra")
    link = show(found, "when does the zebra come").link
    assert link == "https://example.org/faq#zebra:~:text=The%20zebra%20comes%20on%20every%20Monday."


def test_a_sentence_that_stands_twice_is_not_named():
    found = entry("The zebra comes on every Monday.\n\nThe zebra comes on every Monday.", url="https://example.org/")
    assert show(found, "when does the zebra come").link == "https://example.org/"


@pytest.mark.parametrize(
    "url", [None, "", "faq.html", "javascript:alert(1)", "ftp://example.org/", "https:", "http://[x"]
)
def test_what_is_not_on_the_web_has_no_link(url):
    assert show(entry("So.", url=url), "why").link is None


# --- whatever the entry -------------------------------------------------------------------------------------------

PIECES = [
    "the zebra",
    "comes here",
    "by the sea",
    ". ",
    "! ",
    "? ",
    "\n",
    "\n\n",
    " ",
    "&",
    "<",
    "ä",
    "😀",
    "1.2",
    "a-b",
]
SOURCES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=40).map("".join)
HTML = ["<p>", "</p>", "<b>", "</b>", "<br>", "<ul><li>", "<li>", "</ul>", "&amp;", "&nbsp;"]
MARKED_UP = st.lists(st.sampled_from([*PIECES, *HTML]), min_size=1, max_size=40).map("".join)


@given(SOURCES.map(lambda s: (s, "text")) | MARKED_UP.map(lambda s: (s, "html")), st.sampled_from(PIECES))
def test_the_highlight_is_a_sentence_that_lies_where_it_says_and_is_what_is_marked(source, asked):
    found = entry(source[0], markup=source[1])
    if not found.answer:
        return
    hit = show(found, asked)
    highlight = hit.highlight
    assert hit.answer.text[highlight.start : highlight.end] == highlight.text != ""
    marked = unescape("".join(re.findall("<mark>(.*?)</mark>", hit.answer.html, re.DOTALL)))
    assert squeezed(re.sub("<[^>]*>", "", marked)) == squeezed(highlight.text)


@given(SOURCES, st.lists(st.floats(-1, 1, width=32), min_size=200, max_size=200))
def test_whatever_the_cosines_the_highlight_is_one_of_the_sentences(source, cosines):
    found = entry(source)
    if not found.answer:
        return
    passages = passages_of(found, len)  # a window that holds all, so that no sentence is split
    near = np.array(cosines[: len(passages)], np.float32)
    hit = Card(found, passages, WORDS).hit(1, near, ZEBRA, "valid", None)
    texts = [p.text[a:b] for p in found.answer for a, b in sentences(p.text)]
    assert hit.highlight.text in texts
    assert -1 <= hit.score <= 1


def test_a_card_shows_the_same_hit_however_often_it_was_asked():
    found = entry(TWO)
    passages = passages_of(found, HashingEncoder().fit)
    card = Card(found, passages, WORDS)
    generator = np.random.default_rng(0)
    for _ in range(20):
        cosines = generator.uniform(-1, 1, len(passages)).astype(np.float32)
        again, fresh = (made.hit(1, cosines, ZEBRA, "valid", None) for made in (card, Card(found, passages, WORDS)))
        assert again == fresh
