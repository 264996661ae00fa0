"""All questions, those of a section, one entry, and nothing there: what is shown, to whom, and how large it is."""

import gzip
import html
import json
import re
from datetime import date, timedelta
from urllib.parse import quote

import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.build import build
from retriever.web.site import Site

from .conftest import running, wait_for

PAYLOAD = "</script><img src=x onerror=alert(1)>&\"'"
YESTERDAY = (date.today() - timedelta(1)).isoformat()
ROWS = [
    {"_id": "tide/1", "question": "When is high tide?", "answer": "At noon. " * 3, "category": "Sea", "tags": ["tide"]},
    {"_id": "boat", "question": "Is there a boat?", "answer": "<p>Yes, <b>twice</b>.</p>", "category": "Sea"},
    {"_id": "lamp", "question": "Who lit the lamp?", "answer": "Nobody.", "category": "A/B & C"},
    {
        "_id": "old",
        "question": "Is the old lamp lit?",
        "answer": "It was.",
        "category": "Sea",
        "valid_until": YESTERDAY,
    },
    {"_id": "ar", "question": "متى يكون المد؟", "answer": "عند الظهر", "lang": "ar", "category": "Sea"},
    {"_id": "bad", "question": PAYLOAD, "answer": "harmless", "category": PAYLOAD, "alternates": [PAYLOAD]},
    {
        "_id": "about",
        "question": "Who keeps the tower?",
        "answer": "The keeper.",
        "reviewed": "2026-01-31",
        "url": "https://example.org/tower",
        "anchor": "keeper",
        "title": "The tower",
        "alternates": ["Who is the keeper?"],
        "category": "Sea",
    },
]
PLAIN = [{"_id": "plain", "question": "What is left?", "answer": "This, of no category."}]
LONG = [
    {"_id": f"n{at}", "question": f"number {at}?", "answer": f"it is {at} " * 400, "category": "Many"}
    for at in range(95)
]


def made(home, rows, **more):
    (home / "corpus").mkdir()
    for name, part in {"sea.jsonl": rows, **more}.items():
        (home / "corpus" / name).write_text("\n".join(map(json.dumps, part)), encoding="utf-8")
    build([home / "corpus"], home / "index", HashingEncoder(), lang="en", keep=2, progress=lambda *_: None)
    return home / "index"


@pytest.fixture(scope="module")
def shore(tmp_path_factory):
    return made(tmp_path_factory.mktemp("shore"), ROWS, **{"left.jsonl": PLAIN, "many.jsonl": LONG})


@pytest.fixture(scope="module")
def pages(shore):
    with running(lambda: Searcher.open(shore, HashingEncoder())) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


@pytest.fixture(scope="module")
def labelled(shore):
    site = Site(public_url="https://faq.example.org", language="auto")
    with running(lambda: Searcher.open(shore, HashingEncoder(), expired="label"), site=site) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def shown(client, path, **headers):
    reply = client.get(path, headers=headers)
    assert reply.status_code == 200, reply.text
    return reply.text


def data(text):
    """The JSON-LD of a page."""
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', text, re.DOTALL)
    return json.loads(found[0]) if found else None


def questions(text):
    return [html.unescape(found) for found in re.findall(r'<h2 lang="\w+" dir="auto">(.*?)</h2>', text)]


# --- all questions ------------------------------------------------------------------------------------------------


def test_every_section_is_listed_with_its_count(pages):
    text = shown(pages, "/browse")
    found = re.findall(r'<h2 dir="auto"><a href="([^"]+)">(.*?)</a> <span[^>]*>(\d+)</span>', text)
    assert [(html.unescape(address), html.unescape(name), count) for address, name, count in found] == [
        ("/browse?file=left.jsonl", "left.jsonl", "1"),
        ("/browse/Many", "Many", "95"),
        ("/browse/Sea", "Sea", "4"),
        ("/browse/A%2FB%20%26%20C", "A/B & C", "1"),
        (f"/browse/{quote(PAYLOAD, safe='')}", PAYLOAD, "1"),
    ]


def test_every_link_of_the_list_leads_to_a_page(pages):
    links = {html.unescape(link) for link in re.findall(r'href="(/(?:browse|entry)[^"]*)"', shown(pages, "/browse"))}
    assert len(links) > 100
    for link in links:
        assert pages.get(link).status_code == 200, link


def test_a_page_that_there_is_not_is_absent(pages):
    for path in ("/browse?page=2", "/browse?page=0", "/browse?page=x", "/browse/Many?page=4", "/browse/Nothing"):
        assert pages.get(path).status_code == 404, path


# --- a section ----------------------------------------------------------------------------------------------------


def test_a_section_shows_its_entries_in_the_order_of_the_file(pages):
    assert questions(shown(pages, "/browse/Sea")) == [
        "When is high tide?",
        "Is there a boat?",
        "متى يكون المد؟",
        "Who keeps the tower?",
    ]


def test_entries_without_a_category_are_found_by_their_file(pages):
    assert questions(shown(pages, "/browse?file=left.jsonl")) == ["What is left?"]
    assert pages.get("/browse?file=sea.jsonl").status_code == 404


def test_the_pages_of_a_section_hold_each_entry_once(pages):
    found = [question for number in (1, 2, 3) for question in questions(shown(pages, f"/browse/Many?page={number}"))]
    assert found == [row["question"] for row in LONG]


def test_a_page_of_long_answers_stays_small_and_says_where_the_rest_is(pages):
    text = shown(pages, "/browse/Many")
    assert len(gzip.compress(text.encode())) < 50_000
    assert "Read the whole answer" in text
    assert len(data(text)["mainEntity"]) < 40  # only what is shown


# --- an entry -----------------------------------------------------------------------------------------------------


def test_an_entry_is_shown_whole(pages):
    text = shown(pages, "/entry/about")
    assert "The keeper." in text
    assert "Who is the keeper?" in text
    assert '<a href="https://example.org/tower#keeper" rel="noreferrer" dir="auto">The tower</a>' in text
    assert "Last checked on 31 January 2026" in text
    assert '<a href="/browse/Sea" dir="auto">Sea</a>' in text


def test_an_id_with_a_slash_has_a_page(pages):
    assert "At noon." in shown(pages, "/entry/tide%2F1")


def test_an_entry_leads_to_what_is_related_and_to_its_neighbours(pages):
    text = shown(pages, "/entry/boat")
    related = re.findall(r'<li lang="en"><a href="/entry/([^"]+)"', text)
    assert len(related) == 5
    assert "boat" not in related
    around = text[text.index('class="around"') :]
    assert re.findall(r'rel="(prev|next)" href="([^"]+)"', around) == [
        ("prev", "/entry/tide%2F1"),
        ("next", "/entry/ar"),
    ]


def test_an_entry_says_its_language(pages):
    assert '<h1 lang="ar" dir="auto">متى يكون المد؟</h1>' in shown(pages, "/entry/ar")


def test_what_held_until_yesterday_is_withheld(pages):
    assert pages.get("/entry/old").status_code == 404
    assert "old lamp" not in shown(pages, "/browse/Sea")


@pytest.mark.parametrize("path", ["/", "/browse"])
def test_what_is_withheld_is_not_counted(pages, labelled, path):
    text = shown(pages, path)
    found = int(re.search(r"(\d+) entries", text)[1])
    assert found == len(ROWS + PLAIN + LONG) - 1
    assert f"{found + 1} entries" in shown(labelled, path)


def test_what_held_until_yesterday_is_labelled_where_the_owner_wants_it(labelled):
    text = shown(labelled, "/entry/old")
    assert 'class="validity expired"' in text
    assert data(text) is None
    assert 'class="validity expired"' in shown(labelled, "/browse/Sea")
    assert "Is the old lamp lit?" not in [one["name"] for one in data(shown(labelled, "/browse/Sea"))["mainEntity"]]


# --- for search engines -------------------------------------------------------------------------------------------


def test_an_entry_is_a_faq_page_to_search_engines(labelled):
    page = data(shown(labelled, "/entry/boat"))
    assert (page["@context"], page["@type"]) == ("https://schema.org", "FAQPage")
    assert page["mainEntity"] == [
        {
            "@type": "Question",
            "name": "Is there a boat?",
            "inLanguage": "en",
            "acceptedAnswer": {"@type": "Answer", "text": "<p>Yes, <b>twice</b>.</p>"},
            "url": "https://faq.example.org/entry/boat",
        }
    ]


def test_nothing_in_an_entry_ends_its_data_or_becomes_markup(pages):
    for path in ("/entry/bad", "/browse", f"/browse/{quote(PAYLOAD, safe='')}"):
        text = shown(pages, path)
        assert "<img src=x" not in text
        if path != "/browse":
            assert data(text)["mainEntity"][0]["name"] == PAYLOAD


@pytest.mark.parametrize("path", ["/entry/tide%2F1", "/browse", "/browse/Sea", "/browse/Many?page=2"])
def test_each_page_names_its_address(labelled, path):
    assert f'<link rel="canonical" href="https://faq.example.org{path}">' in shown(labelled, path)


def test_without_a_public_address_no_host_is_named(pages):
    text = shown(pages, "/entry/boat", Host="evil.example")
    assert "evil.example" not in text
    assert '<link rel="canonical" href="/entry/boat">' in text


# --- nothing there ------------------------------------------------------------------------------------------------


def test_an_entry_that_is_gone_can_be_searched_for(pages):
    reply = pages.get("/entry/how-do-I-get-in-1a2b3c4d")
    assert reply.status_code == 404
    assert reply.headers["X-Robots-Tag"] == "noindex"
    assert '<a href="/?q=how%20do%20I%20get%20in">' in reply.text


@pytest.mark.parametrize("path", ["/nowhere", "/static/nothing.css"])
def test_who_looks_for_a_page_is_told_on_one(pages, path):
    reply = pages.get(path, headers={"Accept": "text/html"})
    assert reply.status_code == 404
    assert "Nothing is here" in reply.text
    assert "script-src 'self'" in reply.headers["Content-Security-Policy"]


def test_a_program_is_told_as_a_problem(pages):
    reply = pages.get("/nowhere")
    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_a_payload_in_an_address_adds_no_element(pages):
    text = pages.get(f"/entry/{quote(PAYLOAD, safe='')}").text
    assert "<img src=x" not in text


def test_while_no_index_is_open_the_pages_say_so():
    with running(lambda: wait_for(lambda: False, 1)) as client:
        reply = client.get("/browse")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"]


# --- how it is sent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/browse", "/browse/Sea", "/entry/boat"])
def test_a_page_that_has_not_changed_is_not_sent_again(pages, path):
    first = pages.get(path)
    again = pages.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_another_language_is_another_page(labelled):
    tags = {labelled.get("/browse", headers={"Accept-Language": code}).headers["ETag"] for code in ("de", "en")}
    assert len(tags) == 2
    assert "Alle Fragen" in shown(labelled, "/browse", **{"Accept-Language": "de"})


@pytest.mark.parametrize("path", ["/browse", "/browse/Sea", "/entry/boat", "/entry/none"])
def test_every_page_has_the_policy_and_nothing_runs_inline(pages, path):
    reply = pages.get(path)
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"<script(?! type=\"application/ld\+json\">)|<style|<[^>]*\s(?:on\w+|style)=", reply.text)


@pytest.mark.parametrize("path", ["/browse", "/browse/Sea", "/entry/boat"])
def test_the_head_alone_can_be_asked_for(pages, path):
    assert pages.head(path).status_code == 200
