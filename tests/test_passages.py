"""Entries become passages and sentences, and no text is lost on the way."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.passages import entry_text, passages_of, sentences, spans
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


def test_question_alternates_paragraphs_and_the_entry_are_a_passage_each():
    passages = passages_of(entry("Because.", "And so.", alternates=("How come?", "What for?")), eight_words)
    assert [(p.kind, p.number, p.text) for p in passages] == [
        ("question", 1, "Why?"),
        ("alternate", 1, "How come?"),
        ("alternate", 2, "What for?"),
        ("answer", 1, "Because."),
        ("answer", 2, "And so."),
        ("entry", 1, "Why?\nBecause.\nAnd so."),
    ]


def test_a_page_text_has_no_question_passage():
    kinds = [p.kind for p in passages_of(entry("Because.", kind="page"), eight_words)]
    assert kinds == ["answer", "entry"]


def test_an_unsplit_passage_fills_its_text():
    passages = passages_of(entry("Because.", alternates=("What for?",)), eight_words)
    texts = {"question": "Why?", "alternate": "What for?", "answer": "Because.", "entry": "Why?\nBecause."}
    assert [(p.start, p.end, p.text) for p in passages] == [(0, len(texts[p.kind]), texts[p.kind]) for p in passages]


def test_a_paragraph_of_several_sentences_is_a_passage_for_each_of_them():
    text = "It is because of the sea and the wind. It is because of the sun and the moon."
    found = [p for p in passages_of(entry("So.", text), eight_words) if p.kind == "sentence"]
    # A sentence longer than the window is split, as a paragraph is.
    assert " ".join(p.text for p in found) == text
    assert {p.number for p in found} == {2}
    assert all(text[p.start : p.end] == p.text for p in found)


def test_a_paragraph_of_one_sentence_is_none_more():
    assert "sentence" not in {p.kind for p in passages_of(entry("It is because of the sea."), eight_words)}


def test_the_entry_as_one_text_holds_what_the_window_does():
    (whole,) = [
        p for p in passages_of(entry("one two three", "four five six seven eight"), eight_words) if p.kind == "entry"
    ]
    assert whole.text.split() == ["Why?", "one", "two", "three", "four", "five", "six", "seven"]
    assert eight_words(whole.text) == len(whole.text) == whole.end


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("All is by the sea shore here. So is he.", ["All is by the sea shore here.", "So is he."]),
        ("Is it so by the sea shore? It is! (It is so.)", ["Is it so by the sea shore?", "It is! (It is so.)"]),
        ("Yes. It is by the sea shore.", ["Yes. It is by the sea shore."]),
        ("one line\nanother line", ["one line", "another line"]),
        ("Version 1.2.3 of example.org/a.b is here now", ["Version 1.2.3 of example.org/a.b is here now"]),
        ('He said "it is by the sea." She did not.', ['He said "it is by the sea."', "She did not."]),
        ("\n  \n", []),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_would_say(text, parts):
    assert [text[a:b] for a, b in sentences(text)] == parts


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
def test_sentences_hold_every_character_but_white_space_in_order(text):
    found = list(sentences(text))
    assert "".join("".join(text[a:b] for a, b in found).split()) == "".join(text.split())
    assert all(text[a:b] == text[a:b].strip() != "" for a, b in found)
    assert [end <= start for (_, end), (start, _) in pairwise(found)] == [True] * (len(found) - 1)


@given(st.lists(_TEXTS.filter(str.strip), min_size=1, max_size=4), st.lists(_TEXTS.filter(str.strip), max_size=2))
def test_every_passage_lies_in_its_text_where_it_says_and_fits(answer, alternates):
    asked = entry(*answer, alternates=tuple(alternates))
    texts = {"question": ["Why?"], "alternate": alternates, "answer": answer, "sentence": answer}
    texts["entry"] = [entry_text(asked)]
    for passage in passages_of(asked, eight_words):
        assert texts[passage.kind][passage.number - 1][passage.start : passage.end] == passage.text
        assert passage.kind == "entry" or eight_words(passage.text) == len(passage.text)


@given(st.lists(_TEXTS.filter(str.strip), min_size=1, max_size=4))
def test_no_character_of_an_answer_is_outside_its_passages(answer):
    passages = passages_of(entry(*answer), eight_words)
    for kinds in ({"answer"}, {"sentence"}):
        for number, text in enumerate(answer, start=1):
            held = "".join(p.text for p in passages if p.kind in kinds and p.number == number)
            assert "".join(held.split()) in ({"".join(text.split())} | ({""} if kinds == {"sentence"} else set()))


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
