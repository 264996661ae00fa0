"""The pages that are read without a question, of a corpus of ten thousand entries: small, whole, and quickly made."""

import gzip
import random
import time
from datetime import date

import pytest

from retriever.types import Entry, Paragraph, Source
from retriever.web.browse import PER_PAGE, Frame, page_count, render_browse, render_section
from retriever.web.contents import Contents, Listed, Section
from retriever.web.language import ENGLISH
from retriever.web.site import PLAIN

MOST = 50_000
MANY = 10_000
FRAME = Frame(PLAIN, ENGLISH, MANY, "20260101T000000000Z-3f2a9c1d0b7e")
CHOICE = random.Random(1)
WORDS = ["".join(CHOICE.choices("abcdefghijklmnopqrstuvwxyz", k=CHOICE.randint(2, 9))) for _ in range(3000)]


def prose(words):
    return " ".join(CHOICE.choices(WORDS, k=words))


def listed(number, count):
    return tuple(Listed(f"e{number}-{at}", prose(9), "en") for at in range(count))


def contents(sections):
    share = MANY // sections
    return Contents(tuple(Section(prose(3), f"c{at}", None, listed(at, share)) for at in range(sections)))


@pytest.mark.parametrize("sections", [1, 40, 1000, MANY])
def test_all_questions_are_small_pages_and_together_all_there_are(sections):
    found = contents(sections)
    pages = [render_browse(FRAME, found, number) for number in range(1, -(-sections // 60) + 1)]
    assert max(len(gzip.compress(page.encode())) for page in pages) < MOST
    assert sum(page.count("<section>") for page in pages) == sections
    assert render_browse(FRAME, found, len(pages) + 1) is None


def test_a_page_of_a_section_is_small_whatever_its_answers_hold_and_made_in_no_time():
    section = contents(1).sections[0]
    answer = prose(1500)
    entries = [
        Entry(f"e{at}", prose(9), (Paragraph(answer[at:], f"<p>{answer[at:]}</p>"),), Source("a.md", at))
        for at in range(PER_PAGE)
    ]
    began = time.process_time()
    page = render_section(FRAME, section, entries, 7, date(2026, 1, 1))
    assert time.process_time() - began < 0.5  # some milliseconds, but the templates may have to be read first
    assert len(gzip.compress(page.encode())) < MOST
    assert page_count(section) == MANY // PER_PAGE
    assert page.count("<details") == PER_PAGE
    assert "Page 7 of 250" in page
