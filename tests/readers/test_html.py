"""Every page of html/ gives the pairs that stand beside it, no more and no fewer; and pages that would do harm."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retriever.readers import read_corpus
from retriever.readers.drafts import Draft, Flaw, Note, Refused
from retriever.readers.html import decode_page, read_html

FOLDER = Path(__file__).parent / "html"
PAGES = sorted(path.stem for path in FOLDER.glob("*.html"))


def expected(name):
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def found(name):
    return read_corpus([FOLDER / f"{name}.html"])


def pairs(corpus):
    return [(e.question, [p.text for p in e.answer]) for e in corpus.entries if e.kind == "faq"]


def test_there_are_pages_of_every_form():
    assert len(PAGES) >= 25


@pytest.mark.parametrize("name", PAGES)
def test_a_page_gives_its_pairs_and_no_others(name):
    assert pairs(found(name)) == [(pair["question"], pair["answer"]) for pair in expected(name)["pairs"]]


@pytest.mark.parametrize("name", PAGES)
def test_each_pair_says_where_it_stands(name):
    page, corpus = expected(name), found(name)
    entries = [entry for entry in corpus.entries if entry.kind == "faq"]
    got = [
        {
            "anchor": e.source.anchor,
            "section": e.metadata.get("section"),
            "line": e.source.line,
            "alternates": list(e.alternates),
            "lang": e.lang,
            "url": e.source.url,
            "metadata": {key: value for key, value in e.metadata.items() if key != "section"},
        }
        for e in entries
    ]
    own = {
        "anchor": None,
        "section": None,
        "alternates": [],
        "lang": page.get("lang", "en"),
        "url": page.get("url"),
        "metadata": {},
    }
    assert got == [{key: pair.get(key, own.get(key)) for key in got[0]} for pair in page["pairs"]]
    assert {entry.source.title for entry in entries} <= {page.get("title")} or "title" not in page
    for pair, entry in zip(page["pairs"], entries, strict=True):
        assert pair.get("html", "") in "".join(paragraph.html for paragraph in entry.answer)


@pytest.mark.parametrize("name", PAGES)
def test_the_ledger_says_what_else_was_there(name):
    page, corpus = expected(name), found(name)
    notes = "\n".join(corpus.ledger[0].notes)
    assert [note for note in page.get("notes", []) if not any(part in notes for part in note.split("|"))] == []
    assert [p.text for e in corpus.entries if e.kind == "page" for p in e.answer] == page.get("pages", [])
    refused = [[refusal.line, refusal.reason] for refusal in corpus.ledger[0].refused]
    assert [line for line, _ in refused] == [line for line, _ in page.get("refused", [])]


# --- what a page may do to its reader -----------------------------------------------------------------------------

HOSTILE = {
    "nested": "<div>" * 100_000,
    "nested a little": "<div>" * 450 + "<h2>Deep?</h2><p>Yes.",
    "unclosed": "<p><b><i><h2>How?<li><td>So" * 3_000,
    "marked section": "<h2>How?</h2><p>a<![x b<![CDATA[<!DOCTYPE <!-- <? </",
    "long attribute": f'<p title="{"x" * 20_000_000}">a</p>',
    "many attributes": "<p " + " ".join(f"a{n}=1" for n in range(100_000)) + ">a",
    "many tags": "<li>" * 100_000,
    "questions in questions": "<details><summary>Q?</summary>" * 200,
    "lists in lists": "<dl><dt>Q?<dd>" * 200,
    "tables in tables": "<table><tr><td>Q?<td>" * 100,
    "accordions in accordions": '<div class="faq"><div class="question">Q?</div><div class="answer">' * 150,
    "one panel for all": '<button aria-controls="p">Is it so?</button>' * 3_000 + '<div id="p">Yes.</div>',
    "headings alone": "<h2>Q?</h2>" * 15_000,
    "bold lines alone": "<p><b>Is it?</b>" * 8_000,
    "links alone": '<ul><li><a href="#a">Is it?</a>' * 8_000 + '<p id="a">Yes',
    "helpful": "<div>Was this helpful?" * 8_000,
    "headers in headers": "<header>" * 400 + "<p>x" * 20_000,
    "spans in cells": '<table><tr><td rowspan="99999">a<td>b' + "<tr><td>c" * 5_000,
    "deep data": '<script type="application/ld+json">' + "[" * 100_000 + "</script><h2>Is it?</h2><p>Yes.",
    "half a character": '<script type="application/ld+json">{"@type":"Question","name":"\\ud800?","acceptedAnswer":"x"}'
    "</script>",
    "pairs twice": '<div class="faq-question">Q?</div><div class="faq-answer">A</div>' * 4_000,
    "a frameset": "<frameset><frame src=x></frameset>",
    "no tags": "just text",
    "a file name": "page.html",
    "XHTML": "<?xml version='1.0' encoding='utf-16'?><html><h2>Is it?</h2><p>é</p></html>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_page_costs_seconds_and_at_worst_itself(text):
    before = time.process_time()
    with suppress(Flaw):
        list(read_html(text, "Page"))
    assert time.process_time() - before < 10


@pytest.mark.parametrize("name", ["nested", "many tags", "many attributes"])
def test_a_page_beyond_the_bounds_is_refused_with_what_to_do(name):
    with pytest.raises(Flaw, match="at most"):
        list(read_html(HOSTILE[name], "Page"))


def test_time_grows_with_the_page_and_not_faster():
    def seconds(pairs: int) -> float:
        page = "<h2>Is it so?</h2><p>It is <b>so</b>.</p><ul><li>one<li>two</ul>" * pairs
        before = time.process_time()
        list(read_html(page, "Page"))
        return time.process_time() - before

    seconds(50)
    assert seconds(2_000) < 40 * max(seconds(200), 0.01)


TAGS = (
    *("p", "b", "h2", "h3", "div", "ul", "li", "dl", "dt", "dd", "details", "summary", "table", "tr", "td", "th"),
    *("a", "button", "br", "strong", "section", "nav", "form", "pre"),
)
PIECES = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag}>" for tag in TAGS]),
    st.sampled_from(
        ["How is it?", "Q: ", "A: ", "It is so. ", "Was this helpful?", "&amp;", "&#0;", "<!--", "-->", "<![x"]
    ),
    st.sampled_from(
        """<a href="#x">|<p id="x">|<div class="faq-question">|<div class="faq-answer">|<a href="//[">|<h1 lang=x-y>
        <button aria-controls="x" aria-expanded>|<div itemscope itemtype="https://schema.org/Question">|<td rowspan="3">
        <b itemprop="name">|<div itemprop="acceptedAnswer">|<div role="tabpanel" hidden>|</script>
        <script type="application/ld+json">|{"@type": "Question", "name": "Is it?"}""".replace("\n", "|").split("|")
    ),
    st.text(max_size=5),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
@example("\x08<p>How is it?")
def test_only_our_own_errors_come_out_of_a_page(text):
    with suppress(Flaw):
        for item in read_html(text.replace("\0", ""), "Page"):
            assert isinstance(item, Draft | Note | Refused)
            if isinstance(item, Draft):
                assert item.question
                assert item.line


@given(
    st.binary(max_size=60), st.sampled_from(["", "utf-8", "utf-7", "shift_jis", "rot13", "utf-16", "x", "iso-2022-jp"])
)
def test_only_our_own_errors_come_out_of_bytes(data, name):
    with suppress(Flaw):
        text, _ = decode_page(f'<meta charset="{name}">'.encode() + data)
        text.encode()


def test_what_a_page_hides_or_runs_never_reaches_an_answer():
    page = (
        "<h2>Is it safe?</h2><p onclick=alert(1)>Yes.<script>alert(2)</script><!-- secret --><style>p{}</style>"
        '<a href="javascript:alert(3)">link</a><template>t</template><noscript>n</noscript><iframe src=x></iframe></p>'
    )
    (draft,) = [item for item in read_html(page, "Page") if isinstance(item, Draft)]
    assert draft.answer == "<p>Yes.link</p>"
