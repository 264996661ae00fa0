"""Entries become passages, and no text is lost on the way."""

import re

from hypothesis import given
from hypothesis import strategies as st

from retriever.passages import passages_of, spans
from retriever.types import Entry, Paragraph, Source


def eight_words(text: str) -> int:
    """A window of eight words, a long one of which counts for each ten characters, as wordpieces do."""
    pieces = [match for word in re.finditer(r"\S+", text) for match in re.finditer(r".{1,10}", word[0])]
    starts = [
        word.start() + piece.start() for word in re.finditer(r"\S+", text) for piece in re.finditer(r".{1,10}", word[0])
    ]
    return len(text) if len(pieces) <= 8 else starts[8]


def entry(*answer: str, kind: str = "faq", alternates: tuple[str, ...] = ()) -> Entry:
    paragraphs = tuple(Paragraph(text, f"<p>{text}</p>") for text in answer)
    return Entry("id", "Why?", paragraphs, Source("a.md"), alternates=alternates, kind=kind)


def test_question_alternates_and_paragraphs_are_a_passage_each():
    passages = passages_of(entry("Because.", "And so.", alternates=("How come?", "What for?")), eight_words)
    assert [(p.kind, p.number, p.text) for p in passages] == [
        ("question", 1, "Why?"),
        ("alternate", 1, "How come?"),
        ("alternate", 2, "What for?"),
        ("answer", 1, "Because."),
        ("answer", 2, "And so."),
    ]


def test_a_page_text_has_no_question_passage():
    assert {p.kind for p in passages_of(entry("Because.", kind="page"), eight_words)} == {"answer"}


def test_an_unsplit_passage_fills_its_text():
    (passage,) = passages_of(entry("Because.", kind="page"), eight_words)
    assert (passage.start, passage.end) == (0, len("Because."))


def test_a_long_paragraph_is_cut_at_the_last_sentence_end_that_fits():
    text = "One two three. Four five six. Seven eight nine ten."
    assert [text[a:b] for a, b in spans(text, eight_words)] == [
        "One two three. Four five six.",
        "Seven eight nine ten.",
    ]


def test_without_a_sentence_end_the_cut_is_at_white_space():
    text = "one two three four five six seven eight nine ten"
    assert [text[a:b] for a, b in spans(text, eight_words)] == ["one two three four five six seven eight", "nine ten"]


def test_an_early_sentence_end_leaves_no_stub():
    text = "No. One two three four five six seven eight nine"
    assert next(text[a:b] for a, b in spans(text, eight_words)) == "No. One two three four five six seven"


def test_a_word_longer_than_the_window_is_cut_inside():
    assert [b - a for a, b in spans("x" * 200, eight_words)] == [80, 80, 40]


def test_a_split_question_keeps_its_kind_and_number():
    asked = Entry("id", "why " * 20, (Paragraph("So.", "<p>So.</p>"),), Source("a.md"))
    parts = [p for p in passages_of(asked, eight_words) if p.kind == "question"]
    assert [(p.number, p.start) for p in parts] == [(1, 0), (1, 32), (1, 64)]


def test_blank_text_has_no_passage():
    assert list(spans(" \n\t ", eight_words)) == []


_PIECES = [
    "a",
    "bc",
    "a-long-word-of-many-pieces",
    ".",
    "! ",
    "?\n",
    "。",
    " ",
    "\u00a0",
    "\u3000",
    "\t",
    "ß",
    "𝒳",
    '"',
]
_TEXTS = st.lists(st.sampled_from(_PIECES), max_size=150).map("".join)


@given(_TEXTS)
def test_parts_hold_every_character_but_white_space(text):
    parts = "".join(text[a:b] for a, b in spans(text, eight_words))
    assert "".join(parts.split()) == "".join(text.split())


@given(_TEXTS)
def test_parts_are_in_order_filled_and_stripped(text):
    end = 0
    for start, stop in spans(text, eight_words):
        assert end <= start < stop
        assert text[start:stop] == text[start:stop].strip()
        end = stop


@given(_TEXTS)
def test_every_part_fits_the_window(text):
    parts = [text[a:b] for a, b in spans(text, eight_words)]
    assert all(eight_words(part) == len(part) for part in parts)


@given(st.text(min_size=1, max_size=50))
def test_a_window_that_holds_nothing_still_ends(text):
    assert "".join(text[a:b] for a, b in spans(text, lambda _: 0)) == "".join(text.split())
