"""What the page weighs and how soon it answers, as a browser sees it."""

import gzip
from statistics import median
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from browser.test_page import ASKED, address_of, box

pytestmark = pytest.mark.browser

MOST_KB = 50
SOON_MS = 2_000  # on a machine that does much else; a quiet one takes a tenth of it


@pytest.fixture
def weigh(open_page):
    """Return a function that opens a path and returns the gzipped bytes of each file that it loads, by path."""

    def weigh_(path):
        page = open_page(path)
        page.wait_for_load_state("networkidle")
        loaded = page.evaluate("() => [location.href, ...performance.getEntriesByType('resource').map((e) => e.name)]")
        return {urlsplit(url).path: len(gzip.compress(page.request.get(url).body())) for url in loaded}

    return weigh_


@pytest.mark.parametrize("path", ["/", address_of(ASKED)], ids=["start", "answered"])
def test_the_page_with_all_it_loads_is_light(weigh, path):
    weight = weigh(path)
    assert {"/", "/static/page.css", "/static/page.js"} <= set(weight)
    assert sum(weight.values()) < MOST_KB * 1000, weight


def test_an_address_with_a_question_paints_its_answer_first(open_page):
    page = open_page(address_of(ASKED))
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    painted = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
    expect(page.locator(".card")).to_be_visible()
    assert painted < SOON_MS


def test_the_page_paints_without_waiting_for_its_script(open_page):
    page = open_page()
    page.route("**/page.js*", lambda _: None)  # never answered
    page.goto(address_of(ASKED), wait_until="commit")
    expect(page.locator(".card h2")).to_be_visible()


def test_a_question_sent_is_answered_soon(open_page):
    page, waits = open_page(), []
    for number in range(5):
        box(page).fill(f"{ASKED} {number}")
        waits.append(page.evaluate(WAIT))
    assert median(waits) < SOON_MS


WAIT = """async () => {
    // From Enter to the new answer: what a person waits for.
    const results = document.getElementById("results");
    const start = performance.now();
    const shown = new Promise((done) => new MutationObserver(done).observe(results, {childList: true}));
    document.querySelector("form[role=search]").requestSubmit();
    await shown;
    return performance.now() - start;
}"""
