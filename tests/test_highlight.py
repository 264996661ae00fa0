"""One sentence answers best; the mark stands around its very characters, and a link names it."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retriever.highlight import asks_for_a_way, best_sentence, fragment_link, mark, may_answer
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


def test_white_space_between_tags_is_not_marked_though_what_is_around_it_is():
    assert mark("<p><b>a</b> \xa0 <b>b</b></p>", "a \xa0 b", 0, 5) == (
        "<p><b><mark>a</mark></b> \xa0 <b><mark>b</mark></b></p>"
    )


def test_a_tag_may_hold_what_ends_tags():
    assert mark('<p><a href="/?a>b">a b</a></p>', "a b", 2, 3) == '<p><a href="/?a>b">a <mark>b</mark></a></p>'


def test_what_stands_in_a_tag_or_elsewhere_is_not_taken_for_the_passage():
    html = '<p><a href="/b">b</a> b <i>b</i> &amp; b</p>'
    for number, marked in enumerate(
        ['"/b"><mark>b</mark>', "</a> <mark>b</mark> <i>", "<i><mark>b</mark>", "&amp; <mark>b</mark>"]
    ):
        start = [0, 2, 4, 8][number]
        assert marked in mark(html, "b b b & b", start, start + 1)


def test_spaces_around_a_reference_are_not_marked():
    assert mark("<p>a &gt; b</p>", "a > b", 0, 5) == "<p><mark>a</mark> <mark>&gt;</mark> <mark>b</mark></p>"


@pytest.mark.parametrize("html", ["<p>a & b < c</p>", "<p>a &b; c</p>", "a &"])
def test_text_that_was_not_escaped_is_text(html):
    assert mark(html, "xyz", 0, 1) == html.replace("a", "<mark>a</mark>", 1)


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


# --- which sentence -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cosines", "coverage", "best"),
    [
        ([0.5, 0.9, 0.2], [0, 0, 0], 1),
        ([0.5, 0.51, 0.2], [0, 0, 0], 0),  # nothing stands out: the lead
        ([0.5, 0.5, 0.5], [0, 0, 1], 2),
        ([0.5, 0.55, 0.5], [1, 0, 0], 0),
        ([0.9, 0.5, 0.5], [0, 1, 0], 0),
        ([-0.2], [0], 0),
    ],
)
def test_the_sentence_that_stands_out_answers_best_and_else_the_lead(cosines, coverage, best):
    assert best_sentence(cosines, coverage.__getitem__) == best


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(0, 1)), min_size=1, max_size=9))
def test_the_sentence_chosen_is_the_lead_or_better_than_the_lead(sentences):
    cosines, coverage = zip(*sentences, strict=True)
    chosen = best_sentence(cosines, coverage.__getitem__)
    scores = [cosine + 0.1 * share for cosine, share in sentences]
    assert 0 <= chosen < len(sentences)
    assert chosen == 0 or scores[chosen] == pytest.approx(max(scores), abs=1e-5)


@given(st.lists(st.tuples(st.floats(-1, 1, width=32), st.floats(0, 1)), min_size=1, max_size=12))
def test_the_words_of_sentences_that_cannot_be_chosen_are_not_looked_at(sentences):
    cosines, coverage = zip(*sentences, strict=True)
    looked = set()
    best_sentence(cosines, lambda at: looked.add(at) or coverage[at])
    assert all(at == 0 or cosines[at] >= max(cosines) - 0.1002 for at in looked)


# --- the link -----------------------------------------------------------------------------------------------------

PAGE = "https://example.org/faq"


@pytest.mark.parametrize(
    ("sentence", "encoded"),
    [
        ("pay by e-mail", "pay%20by%20e%2Dmail"),
        ("yes, always", "yes%2C%20always"),
        ("this & that", "this%20%26%20that"),
        ("50% of it / all?", "50%25%20of%20it%20%2F%20all%3F"),
        ("naïve 😀", "na%C3%AFve%20%F0%9F%98%80"),
    ],
)
def test_what_has_a_meaning_in_a_text_fragment_is_encoded(sentence, encoded):
    assert fragment_link(PAGE, None, f"Before. {sentence} After.", sentence) == f"{PAGE}#:~:text={encoded}"


def test_a_long_sentence_is_named_by_how_it_begins_and_ends():
    sentence = "one two three four five six seven eight nine"
    link = fragment_link(PAGE, None, f"{sentence}. More.", sentence)
    assert link == f"{PAGE}#:~:text=one%20two%20three%20four,six%20seven%20eight%20nine"


def test_a_long_sentence_whose_end_stands_elsewhere_is_named_whole():
    sentence = "one two three four five six seven eight nine"
    link = fragment_link(PAGE, None, f"{sentence}. So: six seven eight nine.", sentence)
    assert link == f"{PAGE}#:~:text={sentence.replace(' ', '%20')}"


@pytest.mark.parametrize("text", ["the same. And the same.", "nothing of it", ""])
def test_a_sentence_that_does_not_occur_once_is_not_named(text):
    assert fragment_link(PAGE, "here", text, "the same") == f"{PAGE}#here"


def test_a_sentence_that_occurs_again_in_other_case_is_not_named():
    # A browser looks for the text of a fragment without regard to case.
    assert fragment_link(PAGE, None, "The same way. Do it the same way.", "the same way") == PAGE


def test_a_sentence_over_several_lines_is_not_named():
    assert fragment_link(PAGE, None, "one\ntwo", "one\ntwo") == PAGE


@pytest.mark.parametrize(
    ("url", "anchor", "link"),
    [
        (PAGE, "pay", f"{PAGE}#pay:~:text=yes"),
        (f"{PAGE}#old", None, f"{PAGE}#old:~:text=yes"),
        (f"{PAGE}#old", "new", f"{PAGE}#new:~:text=yes"),
        (f"{PAGE}?a=1&b=2", "über uns", f"{PAGE}?a=1&b=2#%C3%BCber%20uns:~:text=yes"),
    ],
)
def test_the_anchor_stays_before_the_text(url, anchor, link):
    assert fragment_link(url, anchor, "yes", "yes") == link


@given(st.text(alphabet="abc -,&%#:~=?/\n\t😀ä", max_size=60), st.data())
def test_what_a_link_names_is_in_the_text(text, data):
    start = data.draw(st.integers(0, len(text)))
    sentence = text[start : data.draw(st.integers(start, len(text)))].strip()
    link = fragment_link(PAGE, None, text, sentence)
    address, _, directive = link.partition("#:~:text=")
    assert address == PAGE
    assert "-" not in directive
    assert "&" not in directive
    named = [unquote(part) for part in directive.split(",")]
    assert all(part in sentence for part in named)
    assert not directive or (sentence.startswith(named[0]) and sentence.endswith(named[-1]))
    assert urlsplit(link).path == "/faq"


@pytest.mark.parametrize(
    "line",
    [
        "Does that happen to you?",
        "[[Would you like more?]]",
        "Run this in the shell:",
        '(as "root":)',
        "Jane Doe",
        "Or",
        "要看吗？",
        "如下：",
    ],
)
def test_what_states_nothing_does_not_answer(line):
    told = "The cache is emptied every night."
    assert may_answer([line, told, line], way=False) == [1]
    assert may_answer([told, line], way=True) == [0]


@pytest.mark.parametrize("line", ["每晚清空缓存。", "/var/lib/cache", "rm -r cache/", "Press F5 twice"])
def test_a_short_sentence_may_answer(line):
    assert may_answer(["Jane Doe", line, line], way=False) == [1, 2]


def test_where_no_sentence_states_anything_all_may_answer():
    assert may_answer(["Why not?", "Like this:"], way=False) == [0, 1]
    assert may_answer(["No."], way=True) == [0]


PROBLEM = [
    "When I start it, it stops at once.",
    "Solution:",
    "Empty the cache and start it again.",
    "Then wait a minute.",
]


@pytest.mark.parametrize(
    "mark", ["Solution:", "solution #1", "SOLUTION", "✅Solution:", "The solution", "Answer:", "answer :"]
)
def test_where_a_way_is_asked_for_nothing_before_the_solution_answers(mark):
    told = f"{mark} is to empty the cache first."
    assert may_answer([PROBLEM[0], told, PROBLEM[3]], way=True) == [1, 2]
    assert may_answer([PROBLEM[0], told, PROBLEM[3]], way=False) == [0, 1, 2]
    assert may_answer(PROBLEM, way=True) == [2, 3]


@pytest.mark.parametrize(
    "sentence", ["Solutions differ from one shop to the other.", "Answer the letter in a week.", "A solution of salt."]
)
def test_a_sentence_that_only_looks_like_the_solution_leaves_the_others(sentence):
    assert may_answer([PROBLEM[0], sentence], way=True) == [0, 1]


@pytest.mark.parametrize(
    "question",
    ["How do I empty it?", "it stops, what should I do", "HOW TO start", "Fix the error 403", "How can one mend it?"],
)
def test_a_question_for_a_way_is_known(question):
    assert asks_for_a_way(question)


@pytest.mark.parametrize(
    "question",
    ["How many are there?", "What does it do?", "Why does it stop", "Who prefixes it?", "Wie leere ich ihn?", ""],
)
def test_other_questions_ask_for_no_way(question):
    assert not asks_for_a_way(question)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8), st.booleans())
def test_of_any_sentences_some_may_answer_in_their_order(sentences, way):
    places = may_answer(sentences, way=way)
    assert places
    assert places == sorted(set(places))
    assert set(places) <= set(range(len(sentences)))
