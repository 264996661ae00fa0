"""The page's HTML, without a server: one claim a test."""

import re
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser

import pytest

from retriever.ranking import WEIGHTS
from retriever.types import (
    Answer,
    AnswerText,
    Explanation,
    Facet,
    Facets,
    FoundPassage,
    Highlight,
    Hit,
    Related,
    Source,
    Timings,
)
from retriever.web.assets import CSP, STATIC, static_url
from retriever.web.language import ENGLISH
from retriever.web.page import render_page, render_results
from retriever.web.panels import Choice, parts, points

PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</title><script>alert(1)</script>",
    "</template><script>alert(1)</script>",
    "</textarea><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }}<x onclick=alert(1)>",
    "&lt;b onmouseover=alert(1)&gt;<b onmouseover=alert(1)>",
]

HIT = Hit(
    rank=1,
    entry_id="returns-1",
    score=0.834,
    question="How do I send something back?",
    answer=AnswerText("Print the label. Then post it.", "<p>Print the label. <mark>Then post it.</mark></p>"),
    passage=FoundPassage("answer", "Then post it.", 1),
    highlight=Highlight("Then post it.", 17, 30),
    source=Source("shop/returns.md", 12),
    link=None,
    tags=("returns", "post"),
    lang="en",
    kind="faq",
    metadata={},
)
ANSWER = Answer(
    question="send it back",
    answered=True,
    confidence=0.912,
    level="high",
    message=None,
    missing=(),
    corrected=None,
    snapshot="20260101T000000000Z-3f2a9c1d0b7e",
    took_ms=Timings(2.1, 0.4, 3.2),
    hits=(HIT,),
)


class Parsed(HTMLParser):
    """The elements of some HTML, as a browser's tokenizer sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def results(*hits: Hit, **changes) -> str:
    return render_results(replace(ANSWER, hits=hits, **changes), "send it back", None)


def page(**changes) -> str:
    return render_page(**{"title": "Shop help", "query": "send it back", "answer": ANSWER, **changes})


def shape(html: str) -> list[tuple[str, list[str]]]:
    return [(tag, sorted(attributes)) for tag, attributes in Parsed(html).elements]


def state(html: str) -> str | None:
    return next(one["data-state"] for one in Parsed(html).all("div") if "data-state" in one)


def announced(html: str) -> str | None:
    return next(one["data-announce"] for one in Parsed(html).all("div") if "data-announce" in one)


# --- nothing that anybody wrote becomes markup ---------------------------------------------------------------------

FIELDS = {
    "question": lambda text: replace(HIT, question=text),
    "question found": lambda text: replace(HIT, question=text, passage=FoundPassage("question", text, None)),
    "alternate": lambda text: replace(HIT, passage=FoundPassage("alternate", text, None)),
    "passage": lambda text: replace(HIT, passage=FoundPassage("answer", text, 1)),
    "answer's text": lambda text: replace(HIT, answer=replace(HIT.answer, text=text), highlight=Highlight(text, 0, 9)),
    "entry id": lambda text: replace(HIT, entry_id=text),
    "tag": lambda text: replace(HIT, tags=(text, "post")),
    "lang": lambda text: replace(HIT, lang=text),
    "file": lambda text: replace(HIT, source=Source(text, 12)),
    "title": lambda text: replace(HIT, source=Source("a.md", 12, None, None, text)),
    "title of a link": lambda text: replace(
        HIT, source=Source("a.md", 12, None, None, text), link="https://a.example/"
    ),
    "link": lambda text: replace(HIT, link=f"https://example.org/#{text}"),
    "link alone": lambda text: replace(HIT, link=text if text != "harmless" else None),
}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("field", FIELDS)
def test_a_payload_in_an_entry_adds_no_element_and_no_attribute(field, payload):
    hit, harmless = FIELDS[field](payload), FIELDS[field]("harmless")
    assert shape(results(hit, hit)) == shape(results(harmless, harmless))


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("field", ["title", "query", "error", "snapshot", "examples"])
def test_a_payload_on_the_page_adds_no_element_and_no_attribute(field, payload):
    def with_(text):
        return page(**{"answer": None, field: [text] if field == "examples" else text})

    assert shape(with_(payload)) == shape(with_("harmless"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_the_message_adds_no_element(payload):
    assert shape(results(HIT, answered=False, message=payload)) == shape(results(HIT, answered=False, message="x"))


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize(("field", "wrap"), [("missing", lambda text: (text, "and", text)), ("corrected", str)])
def test_a_payload_in_the_question_adds_no_element_where_it_is_repeated(field, wrap, answered, payload):
    with_, without = (results(HIT, answered=answered, **{field: wrap(text)}) for text in (payload, "harmless"))
    assert shape(with_) == shape(without)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_question_asked_is_in_the_box_as_it_was_typed(payload):
    assert next(one["value"] for one in Parsed(page(query=payload)).all("input")) == payload


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "//example.org/",
        "https:",
        "httpsjavascript:alert(1)",
        " javascript:alert(1)//http://",
        "relative/page.html",
        "",
    ],
)
def test_only_the_web_is_linked(url):
    html = results(replace(HIT, source=Source("a.md", 1, url, "x", "A page"), link=url))
    assert Parsed(html).all("a") == []
    assert "A page" in html


def test_a_source_on_the_web_is_linked_where_the_hit_says():
    link = "https://example.org/?a=1&b=2#top:~:text=Then%20post%20it."
    assert [one["href"] for one in Parsed(results(replace(HIT, link=link))).all("a")] == [link]


def test_the_address_of_a_source_is_no_link_unless_the_hit_has_one():
    html = results(replace(HIT, source=Source("a.md", 1, "https://example.org/", None, "A page")))
    assert Parsed(html).all("a") == []


# --- what a hit shows ----------------------------------------------------------------------------------------------


def test_the_answer_is_shown_as_the_html_it_is():
    assert HIT.answer.html in results(HIT)


@pytest.mark.parametrize("kind", ["question", "alternate", "answer"])
def test_only_the_sentence_that_answers_is_marked(kind):
    html = results(replace(HIT, passage=FoundPassage(kind, HIT.question, None)), HIT)
    assert html.count("<mark>") == HIT.answer.html.count("<mark>") * 2


def test_an_alternate_that_was_found_is_shown():
    html = results(replace(HIT, passage=FoundPassage("alternate", "return goods", None)))
    assert re.search(r"also asked as: <em[^>]*>return goods</em>", html)


@pytest.mark.parametrize("kind", ["question", "answer"])
def test_no_alternate_is_shown_unless_it_was_found(kind):
    assert "also asked as" not in results(replace(HIT, passage=FoundPassage(kind, "return goods", None)))


def test_a_closed_hit_begins_with_the_sentence_that_answers():
    assert re.search(r'class="snippet"[^>]*>Then post it\.<', results(HIT, HIT))


def test_the_score_is_shown_with_two_digits_and_named():
    assert Parsed(results(HIT, HIT)).text.count("similarity 0.83") == 2


def test_a_source_without_a_title_is_its_file_and_line():
    assert "shop/returns.md:12" in Parsed(results(HIT)).text


def test_a_source_without_a_line_is_its_file():
    assert "shop/returns.md:" not in results(replace(HIT, source=Source("shop/returns.md")))


def test_a_hit_that_holds_no_longer_is_labelled_with_its_day():
    html = results(replace(HIT, validity="expired", valid_until=date(2025, 3, 31)))
    assert '<span class="validity expired">was valid until 31 March 2025</span>' in html


def test_a_hit_that_does_not_hold_yet_is_labelled_with_its_day():
    html = results(replace(HIT, validity="upcoming", valid_from=date(2030, 6, 1)))
    assert '<span class="validity">valid from 1 June 2030</span>' in html


def test_tags_are_listed():
    assert re.findall(r"<li dir=\"auto\">(\w+)</li>", results(HIT)) == ["returns", "post"]


def test_a_hit_says_its_language():
    html = Parsed(results(replace(HIT, lang="ar")))
    assert [one["lang"] for _, one in html.elements if "lang" in one] == ["ar", "ar"]


def test_text_without_a_question_is_headed_by_its_page():
    hit = replace(HIT, question="", kind="page", source=Source("a.md", 1, None, None, "About us"))
    assert re.search(r"<h2[^>]*>\s*About us\s*</h2>", results(hit))


# --- how sure it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "words"),
    [("high", "Very likely the answer"), ("medium", "Probably the answer"), ("low", "Possibly the answer")],
)
def test_confidence_is_told_in_words(level, words):
    assert words in Parsed(results(HIT, level=level)).text


@pytest.mark.parametrize(("confidence", "percent"), [(0.912, 91), (1.0, 99), (0.9999, 99), (0.0, 1)])
def test_confidence_is_a_bar_and_a_number_and_never_certainty(confidence, percent):
    html = results(HIT, confidence=confidence)
    assert Parsed(html).all("rect")[1]["width"] == str(percent)
    assert f"Confidence {percent}%." in Parsed(html).text


def test_the_heading_is_described_by_the_confidence():
    html = results(HIT, HIT)
    assert [one["aria-describedby"] for one in Parsed(html).all("h2") if "aria-describedby" in one] == ["verdict"]
    assert html.count('id="verdict"') == 1


def test_confidence_is_of_the_first_hit_alone():
    assert "confidence" not in results(HIT, HIT, answered=False, confidence=0.1, level="none")
    assert results(HIT, HIT).count("<svg") == 1


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (("cards",), "Nothing here mentions cards."),
        (("cards", "Oslo"), "Nothing here mentions cards or Oslo."),
        (("cards", "Oslo", "95"), "Nothing here mentions cards, Oslo or 95."),
        (tuple("abcdefgh"), "Nothing here mentions a, b, c, d, e, f and 2 more."),
    ],
)
def test_what_is_missing_is_named(answered, missing, words):
    assert words in Parsed(results(HIT, answered=answered, missing=missing)).text


def test_what_is_missing_is_named_where_nothing_was_found():
    assert "Nothing here mentions cards." in Parsed(results(answered=False, missing=("cards",))).text


def test_nothing_is_said_to_be_missing_where_nothing_is():
    assert "Nothing here mentions" not in results(HIT, HIT)


@pytest.mark.parametrize("answered", [True, False])
def test_a_corrected_question_is_told_and_announced(answered):
    html = results(HIT, answered=answered, corrected="send it black")
    assert "Showing results for send it black." in Parsed(html).text
    assert announced(html).endswith(". Showing results for send it black.")


def test_a_corrected_question_can_be_asked_as_it_was_typed():
    html = results(HIT, corrected="send it black")
    assert "Search instead for send it back" in Parsed(html).text
    assert [one["href"] for one in Parsed(html).all("a")] == ["/?q=send%20it%20back&exact=1"]


def test_a_question_searched_as_it_was_asked_is_not_repeated():
    assert "Showing results for" not in results(HIT)


# --- the states ----------------------------------------------------------------------------------------------------


def test_the_first_hit_is_open_and_the_others_are_closed():
    html = results(HIT, replace(HIT, rank=2, entry_id="b"), replace(HIT, rank=3, entry_id="c"))
    assert (html.count("<article"), html.count("<details>")) == (1, 2)


@pytest.mark.parametrize(("hits", "words"), [(1, "1 passage found"), (5, "5 passages found")])
def test_hits_are_counted_for_the_live_region(hits, words):
    assert announced(results(*[HIT] * hits)) == f"{words}; the first is very likely the answer"


@pytest.mark.parametrize(("total", "words"), [(0.4, "in under 1 ms"), (3.2, "in 3 ms")])
def test_the_time_is_told(total, words):
    assert words in results(HIT, took_ms=Timings(0, 0, total))


def test_no_good_answer_shows_the_message_and_opens_no_hit():
    html = results(HIT, HIT, answered=False, message="Ask us at the desk.")
    assert state(html) == "nearest"
    assert "Ask us at the desk." in html
    assert "Nearest questions" in html
    assert "<article" not in html


def test_no_good_answer_is_announced_as_such():
    assert announced(results(HIT, HIT, answered=False)) == "No good answer; 2 nearest questions"


def test_no_hits_is_a_state_of_its_own():
    assert state(results(answered=False)) == "nothing"


def test_an_error_takes_the_place_of_hits():
    html = render_results(None, "x" * 1001, "At most 1,000 characters.")
    assert state(html) == "error"
    assert announced(html) == "The search did not run. At most 1,000 characters."


def test_without_a_question_the_start_offers_examples():
    html = render_results(None, "", None, examples=["Who & why?"])
    assert state(html) == "start"
    assert [one["href"] for one in Parsed(html).all("a")] == ["/?q=Who%20%26%20why%3F"]


def test_the_page_holds_the_same_results_as_the_fragment():
    assert render_results(ANSWER, "send it back", None) in page()


# --- filters -------------------------------------------------------------------------------------------------------

FACETS = Facets(
    (Facet("billing", 9), Facet("returns", 4), Facet("post", 2)),
    (Facet("money", 7), Facet("label", 5), Facet("sea", 1)),
)


def filters(html: str) -> list[tuple[str | None, str | None, bool]]:
    boxes = [one for one in Parsed(html).all("input") if one.get("type") == "checkbox"]
    return [(one["name"], one["value"], "checked" in one) for one in boxes]


def test_categories_and_tags_can_be_filtered_on_each_once():
    offered = [("category", one.value, False) for one in FACETS.categories]
    offered += [("tag", one.value, False) for one in FACETS.tags]
    assert sorted(filters(page(facets=FACETS))) == sorted(offered)


def test_most_chips_stand_in_the_open():
    panel, row = page(facets=FACETS).partition('class="panel"')[2].split("</details>", 1)
    assert [value for _, value, _ in filters(row)] == ["billing", "returns", "money"]
    assert [value for _, value, _ in filters(panel)] == ["post", "label", "sea"]


def test_a_filter_says_how_many_entries_it_leaves():
    assert re.search(r">billing</span><span class=\"entries\">9<", page(facets=FACETS))


def test_what_was_chosen_is_checked_and_stands_in_the_open():
    html = page(facets=FACETS, choice=Choice(tags=("sea",), categories=("post",)))
    assert {value for _, value, checked in filters(html) if checked} == {"sea", "post"}
    row = html.partition("</details>")[2]
    assert {value for _, value, checked in filters(row) if checked} == {"sea", "post"}


def test_what_was_chosen_comes_first_whether_tag_or_category():
    row = page(facets=FACETS, choice=Choice(tags=("sea",))).partition("</details>")[2]
    assert [value for _, value, _ in filters(row)] == ["sea", "billing", "money"]


def test_all_that_was_chosen_stands_in_the_open():
    every = Choice(tags=("sea", "label", "money"), categories=("post", "returns"))
    row = page(facets=FACETS, choice=every).partition("</details>")[2]
    assert {value for _, value, _ in filters(row)} == {"sea", "label", "money", "post", "returns"}


def test_a_filter_of_an_address_that_no_entry_carries_can_be_removed():
    assert ("tag", "gone", True) in filters(page(facets=FACETS, choice=Choice(tags=("gone",))))


@pytest.mark.parametrize("facets", [Facets(), Facets((Facet("all", 3),), (Facet("same", 3),))])
def test_where_nothing_can_be_told_apart_there_are_no_filters(facets):
    html = page(facets=facets)
    assert filters(html) == []
    assert 'class="filters"' not in html


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_a_filter_adds_no_element(payload):
    def with_(text):
        facets = Facets((Facet("a", 1), Facet(text, 1)), (Facet("b", 1), Facet(f"{text}s", 1)))
        return page(facets=facets, choice=Choice(tags=(f"{text}!",)))

    assert shape(with_(payload)) == shape(with_("harmless"))


def test_nothing_found_with_filters_offers_to_search_without():
    html = results(answered=False)
    filtered = render_results(replace(ANSWER, hits=(), answered=False), "send", None, choice=Choice(tags=("sea",)))
    assert Parsed(html).all("a") == []
    assert [one["href"] for one in Parsed(filtered).all("a")] == ["/?q=send"]


# --- related questions, what helped, and why -----------------------------------------------------------------------

RELATED = (Related("b", "Who pays & why?", "en"),)


def test_related_questions_are_links_that_ask_them():
    html = render_results(ANSWER, "send it back", None, related=RELATED)
    assert [one["href"] for one in Parsed(html).all("a")] == ["/?q=Who%20pays%20%26%20why%3F"]


def test_with_filters_no_related_question_is_shown_that_they_may_exclude():
    html = render_results(ANSWER, "send it back", None, related=RELATED, choice=Choice(categories=("post",)))
    assert "Who pays" not in html


@pytest.mark.parametrize(("feedback", "forms"), [(True, 1), (False, 0)])
def test_askers_are_asked_what_helped_only_where_that_is_kept(feedback, forms):
    html = render_results(replace(ANSWER, hits=(HIT, HIT)), "send it back", None, feedback=feedback)
    assert len(Parsed(html).all("form")) == forms


def test_what_helped_is_sent_with_all_that_the_server_takes():
    html = Parsed(render_results(ANSWER, "send it back", None, feedback=True))
    fields = {one["name"]: one["value"] for one in html.all("input")}
    assert fields == {"question": "send it back", "entry_id": "returns-1", "snapshot": ANSWER.snapshot}
    assert [(one["name"], one["value"]) for one in html.all("button")] == [("helpful", "true"), ("helpful", "false")]
    assert (html.all("form")[0]["action"], html.all("form")[0]["method"]) == ("/feedback", "post")


EXPLAINED = Explanation(1.0, {"question": 0.334, "entry": 0.333, "best": 0.333, "words": 0.0})


def test_why_an_entry_was_found_is_said_in_words_and_points_that_add_up():
    text = Parsed(results(replace(HIT, explain=EXPLAINED))).text
    assert re.search(r"Meaning of its question\s*34\s", text)
    assert re.search(r"Meaning of question and answer together\s*33\s", text)
    assert re.search(r"Points in all\s*100\s", text)


def test_what_added_nothing_is_not_listed():
    assert "Your words anywhere" not in results(replace(HIT, explain=EXPLAINED))


@pytest.mark.parametrize("spread", [(0.005, 0.005, 0.005), (0.1249, -0.004, 0.3), (0.004,) * 7, (3.0, 0.335, 0.3333)])
def test_points_add_up_to_their_total_however_they_are_rounded(spread):
    parts_ = {f"part {number}": part for number, part in enumerate(spread)}
    explanation = Explanation(round(sum(spread), 6), parts_)
    assert sum(part for _, part in parts(explanation)) == points(explanation)


def test_every_part_of_a_score_has_words():
    assert {key.rpartition(".")[2] for key in ENGLISH.texts if key.startswith("why.part.")} == {*WEIGHTS, "pinned"}


# --- the document --------------------------------------------------------------------------------------------------


def test_the_form_works_without_a_script():
    form = Parsed(page()).all("form")[0]
    assert (form["action"], form["method"]) == ("/", "get")


@pytest.mark.parametrize(("k", "fields"), [(None, ["q"]), (7, ["q", "k"])])
def test_k_stays_in_the_address_only_if_it_was_there(k, fields):
    assert [one["name"] for one in Parsed(page(k=k)).all("input")] == fields


@pytest.mark.parametrize(("query", "robots"), [("", []), ("  ", []), ("send", ["noindex"])])
def test_only_result_pages_are_kept_out_of_search_engines(query, robots):
    html = Parsed(page(query=query, answer=None))
    assert [one["content"] for one in html.all("meta") if one.get("name") == "robots"] == robots


def test_the_footer_says_what_is_searched():
    text = Parsed(page(entries=1234, snapshot=ANSWER.snapshot)).text
    assert "1,234 entries" in text
    assert "snapshot 3f2a9c1d0b7e" in text


def test_every_control_and_region_has_a_name():
    html = Parsed(page())
    assert [one["for"] for one in html.all("label")] == ["q"]
    assert [one["aria-label"] for one in html.all("section")] == ["Results"]


def test_no_id_is_used_twice():
    ids = [one["id"] for _, one in Parsed(page(examples=["a"])).elements if "id" in one]
    assert len(ids) == len(set(ids))


def test_nothing_runs_or_styles_inline():
    html = Parsed(page(examples=["a"]))
    assert all("src" in one for one in html.all("script"))
    assert html.all("style") == []
    assert [name for _, one in html.elements for name in one if name == "style" or name.startswith("on")] == []


def test_the_page_itself_loads_nothing_from_elsewhere():
    html = Parsed(page())
    leads = [one for tag, one in html.elements if tag != "a" and one.get("rel") not in {"search", "expect"}]
    loads = [one[name] for one in leads for name in ("src", "href") if name in one]
    assert loads
    assert all(address.startswith("/static/") for address in loads)


def test_every_static_address_is_of_a_file_and_its_content():
    addresses = set(re.findall(r"/static/[^\"]+", page()))
    assert addresses <= {static_url(path.name) for path in STATIC.iterdir()}
    for address in addresses:
        name, version = re.fullmatch(r"/static/([\w.]+)\?v=(\w{8})", address).groups()
        assert sha256((STATIC / name).read_bytes()).hexdigest().startswith(version)


def test_the_policy_allows_nothing_unsafe():
    assert CSP.startswith("default-src 'none';")
    assert not re.search(r"unsafe|\*|https?:|data:", CSP)


@pytest.mark.parametrize("script", sorted(path.name for path in STATIC.glob("*.js")))
def test_no_script_turns_a_string_into_html(script):
    text = (STATIC / script).read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|parseFromString|eval\(", text)
