"""Answers as written → paragraphs whose text and HTML say the same, and nothing that runs."""

import contextlib
import time
from html.parser import HTMLParser

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.readers.drafts import Flaw, clean
from retriever.readers.markup import paragraphs


class Shown(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.feed(html)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data


def bare(text: str) -> str:
    return "".join(text.split())


TAGS = "<p> </p> <b> </b> <ul><li> </ul> <br> <pre> </pre> <table><tr><td> </table> <div> </div> <script> </script>"
PIECES = [
    *TAGS.split(),
    "<a href='x'>",
    "<img alt='pic'>",
    "<your-name>",
    "<![x",
    "&lt;",
    "&amp;nbsp;",
    "\n",
    "\n\n",
    "é",
    " ",
]
PIECES += [
    "<!--",
    "-->",
    "http://a.b/c?d=1&e",
    "**",
    "`",
    "- ",
    "| a | b |\n|---|---|\n",
    "x",
    "&",
    "<",
    ">",
    '"',
    "]",
    "[",
]
answers = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25).map("".join)


@given(answers, st.sampled_from(["text", "markdown", "html", "auto"]))
def test_html_shows_the_characters_of_the_text(answer, markup):
    for paragraph in paragraphs(answer, markup):
        assert bare(Shown(paragraph.html).text) == bare(paragraph.text)
        assert paragraph.text.strip()


@given(answers, st.sampled_from(["text", "markdown", "html", "auto"]))
def test_sanitising_again_changes_nothing_that_shows(answer, markup):
    for paragraph in paragraphs(answer, markup):
        again = nh3.clean(paragraph.html, link_rel="nofollow noopener", url_schemes={"http", "https", "mailto"})
        assert bare(Shown(again).text) == bare(paragraph.text)
        assert "<script" not in paragraph.html


@given(st.text(max_size=80))
def test_plain_text_loses_nothing(answer):
    kept = "".join(paragraph.text for paragraph in paragraphs(answer, "text"))
    assert bare(kept) == bare(clean(answer))


@pytest.mark.parametrize(
    "text", ["List<String>", "<your-name>", "a < b", "a<b and c", "<a@b.org>", "<![x", "<!-- open", "<script> tag"]
)
@pytest.mark.parametrize("markup", ["text", "html", "auto"])
def test_what_is_no_html_is_not_lost(text, markup):
    assert paragraphs(f"see {text} here", markup)[0].text == f"see {text} here"


@pytest.mark.parametrize("text", ["List<String>", "<your-name>", "<script> tag"])
def test_what_is_no_html_is_not_lost_in_markdown(text):
    assert paragraphs(f"see {text} here", "markdown")[0].text == f"see {text} here"


def test_html_is_told_from_text_by_its_tags():
    assert [p.text for p in paragraphs("<p>a</p><p>b</p>", "auto")] == ["a", "b"]
    assert [p.text for p in paragraphs("the <del> tag", "auto")] == ["the <del> tag"]


def test_each_block_of_markdown_is_a_paragraph():
    blocks = paragraphs("a\n\n- b\n- c\n\n```\nd\n\ne\n```\n\n| f | g |\n|---|---|\n| 1 | 2 |\n", "markdown")
    assert [block.text for block in blocks] == ["a", "b\nc", "d\n\ne", "f\tg\n1\t2"]


def test_an_image_is_its_description():
    assert paragraphs("![a *cat*](cat.png)", "markdown")[0].html == "<p>a cat</p>"


def test_links_go_to_the_web_and_say_nofollow():
    html = "".join(
        p.html for p in paragraphs("<a href='javascript:x'>a</a> <a href='https://b.c' onclick=x>d</a>", "html")
    )
    assert html == '<p><a rel="nofollow noopener">a</a> <a href="https://b.c" rel="nofollow noopener">d</a></p>'


def test_a_bare_address_is_a_link_without_the_full_stop_after_it():
    assert 'href="https://a.b/c_(d)"' in paragraphs("(see https://a.b/c_(d)).", "text")[0].html


def test_two_line_breaks_part_paragraphs():
    assert [p.text for p in paragraphs("a<br><br>b<br>c", "html")] == ["a", "b\nc"]


@pytest.mark.parametrize(
    "piece",
    ["<div>", "<b><p>", "<table><td>", "[", "![", "<!--", "<script>", '<a "', "http://", "&", "http://a)", "*a_ "],
)
@pytest.mark.parametrize("markup", ["text", "markdown", "html"])
def test_no_answer_takes_two_seconds(piece, markup):
    start = time.process_time()
    with contextlib.suppress(Flaw):
        paragraphs(piece * (20_000 // len(piece)), markup)
    assert time.process_time() - start < 2
