"""The mark stands around the very characters that were found, and nothing else of the HTML changes."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.highlight import mark
from retriever.readers.markup import paragraphs


class _Marked(HTMLParser):
    """Collects the text inside and outside <mark>, and checks that tags nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.marked = ""
        self.all = ""

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.all += data
        self.marked += data if "mark" in self.open else ""


def read(html: str) -> _Marked:
    parser = _Marked()
    parser.feed(html)
    parser.close()
    assert not parser.open
    return parser


def squeezed(text: str) -> str:
    return "".join(text.split())


def unmarked(html: str) -> str:
    return re.sub("</?mark>", "", html)


HTML = [
    "<p>plain words here</p>",
    "<p>A &amp; B &lt;tag&gt; &quot;quoted&quot; &copy; 2&nbsp;kg caf&eacute;</p>",
    "<p>an <b>important <i>nested</i></b> thing, see <a href='https://e.org/?a=1&amp;b=2'>this page</a></p>",
    "<ul><li>first</li><li>second <b>bold</b></li></ul>",
    "<ol>\n  <li>one\n  <li>two\n</ol>",
    "<table><tr><td>a</td><td>b</td></tr></table>",
    "<pre><code>if a &lt; b:\n    run(a &amp; b)</code></pre>",
    "<p>line<br>break<br/>again, see https://example.org/a?b=c&amp;d=e for more</p>",
    "<p>\u2003wide\u00a0\u00a0spaces\u3000here &#8195; and &#x26; 😀 done</p>",
]


@pytest.mark.parametrize("html", HTML)
def test_every_stretch_of_real_html_can_be_marked(html):
    (paragraph,) = paragraphs(html, "html")
    for start in range(len(paragraph.text)):
        for end in range(start + 1, len(paragraph.text) + 1):
            marked = mark(paragraph.html, paragraph.text, start, end)
            assert unmarked(marked) == paragraph.html
            assert squeezed(read(marked).marked) == squeezed(paragraph.text[start:end])


def test_a_run_within_one_tag_has_one_mark():
    assert mark("<p>a b c</p>", "a b c", 0, 3) == "<p><mark>a b</mark> c</p>"


def test_an_entity_inside_the_run_does_not_cut_it():
    assert mark("<p>a&amp;b c</p>", "a&b c", 0, 3) == "<p><mark>a&amp;b</mark> c</p>"


def test_a_run_over_tags_keeps_them_nested():
    assert mark("<p>a <b>b c</b></p>", "a b c", 0, 3) == "<p><mark>a</mark> <b><mark>b</mark> c</b></p>"


def test_white_space_alone_is_never_marked():
    assert mark("<p>a b</p>", "a b", 1, 2) == "<p>a b</p>"


def test_a_script_in_the_text_stays_text():
    (paragraph,) = paragraphs("<script>alert(1)</script> is a tag", "text")
    assert "<script" not in mark(paragraph.html, paragraph.text, 0, 10)


def test_marks_of_the_author_are_not_confused_with_ours():
    (paragraph,) = paragraphs("<p>an <mark>old</mark><mark>er</mark> mark</p>", "html")
    marked = mark(paragraph.html, paragraph.text, 0, 2)
    assert read(marked).marked == "an"


_PIECES = [
    *("word", " ", "\n", "&", "<", ">", ";", "amp;", '"', "'", "\u00a0", "\u200b", "é", "😀"),
    *("&amp;", "&lt;", "&nbsp;", "&#38;", "&eacute;", "&#x1c;", "<!--", "-->"),
    *("<b>", "</b>", "<i>", "</i>", "<br>", "<p>", "</p>", "<ul><li>", "<li>", "</ul>"),
    *("<code>", "</code>", "<pre>", "</pre>", "<a href='/x?a=1&amp;b'>", "</a>", "https://e.org/?a=b&c=d"),
]
_SOURCES = st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)


@given(_SOURCES, st.sampled_from(["html", "text", "auto", "markdown"]), st.data())
def test_the_marked_characters_are_those_of_the_passage(source, markup, data):
    for paragraph in paragraphs(source, markup):
        start = data.draw(st.integers(0, len(paragraph.text) - 1))
        end = data.draw(st.integers(start + 1, len(paragraph.text)))
        marked = mark(paragraph.html, paragraph.text, start, end)
        assert unmarked(marked) == paragraph.html
        assert squeezed(read(marked).marked) == squeezed(paragraph.text[start:end])
        assert squeezed(read(marked).all) == squeezed(paragraph.text)
