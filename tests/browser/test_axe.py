"""axe-core finds nothing on the page and the search box, in every state, light and dark, narrow and wide."""

import re

import pytest
from playwright.sync_api import expect

from browser.axe import Axe
from browser.hosts import markup
from browser.test_page import ASKED, FOREIGN, LACKING, MISSPELT, TOO_LONG, address_of, box, outcome

pytestmark = pytest.mark.browser

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (360, 1280)]


def findings(page):
    """What axe finds in each look of a page as it is."""
    axe, found = Axe(page), []
    for scheme, width in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        found += [f"{scheme}, {width} wide: {finding}" for finding in axe.findings()]
    return found


def test_axe_would_find_a_fault(open_page):
    page = open_page()
    page.locator("form input[name=q]").evaluate("box => box.labels[0].remove()")
    assert any("label" in finding for finding in findings(page))


PAGES = {
    "start": "/",
    "answered": address_of(ASKED),
    "lacking a word": address_of(LACKING),
    "misspelt": address_of(MISSPELT),
    "nearest": address_of(FOREIGN),
    "nothing": address_of(ASKED) + "&tag=unheard",
    "filtered": address_of(ASKED) + "&tag=retriever",
    "all questions": "/browse",
    "a section": "/browse/First%20steps",
    "an entry": "/entry/what-hardware-do-i-need-eaed29f0",
}


@pytest.mark.parametrize("address", PAGES.values(), ids=PAGES)
def test_axe_finds_nothing_on_a_page(open_page, address):
    assert findings(open_page(address)) == []


def test_axe_finds_nothing_where_all_hits_are_open(open_page):
    page = open_page(address_of(ASKED))
    page.locator("details").evaluate_all("rows => rows.forEach((row) => { row.open = true; })")
    assert findings(page) == []


def test_axe_finds_nothing_on_an_error(open_page, faults):
    page = open_page(address_of(TOO_LONG))
    expect(page.locator(".notice")).to_be_visible()
    assert findings(page) == []
    faults[:] = [fault for fault in faults if "status of 422" not in fault]


def test_axe_finds_nothing_where_the_server_is_out_of_reach(open_page, faults):
    page = open_page()
    page.context.set_offline(True)
    box(page).fill(ASKED)
    expect(page.locator(".notice")).to_be_visible()
    assert findings(page) == []
    faults[:] = [fault for fault in faults if "ERR_INTERNET_DISCONNECTED" not in fault]


def test_axe_finds_nothing_on_open_suggestions(open_page):
    page = open_page()
    box(page).press_sequentially("install")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_be_visible()
    expect(outcome(page, "install")).to_be_visible()  # what stood there before is dimmed until then
    assert findings(page) == []


def test_axe_finds_nothing_while_an_answer_is_awaited(open_page):
    page = open_page(address_of(ASKED))
    slow = {"offline": False, "latency": 60_000, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)
    box(page).fill(LACKING)
    expect(page.locator('#results[aria-busy="true"]')).to_be_visible()
    assert findings(page) == []


def test_axe_finds_nothing_where_nothing_is(open_page, faults):
    page = open_page("/entry/none-such")
    assert findings(page) == []
    faults[:] = [fault for fault in faults if "status of 404" not in fault]


ASKED_OF_THE_BOX = {
    "start": "",
    "answered": ASKED,
    "lacking a word": LACKING,
    "misspelt": MISSPELT,
    "nearest": FOREIGN,
    "too long": TOO_LONG.strip(),
}


@pytest.mark.parametrize("question", ASKED_OF_THE_BOX.values(), ids=ASKED_OF_THE_BOX)
def test_axe_finds_nothing_on_the_search_box_of_another_site(open_host, site, question):
    page = open_host(html=host(site))
    if question:
        page.get_by_role("combobox").fill(question)
        expect(page.locator('faq-search [aria-busy="false"] .panel')).to_be_visible()
        page.locator("details").evaluate_all("rows => rows.forEach((row) => { row.open = true; })")
    assert findings(page) == []


def test_axe_finds_nothing_on_the_suggestions_of_the_search_box(open_host, site):
    page = open_host(html=host(site))
    page.get_by_role("combobox").press_sequentially("install")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_be_visible()
    assert findings(page) == []


def host(site):
    """A page without faults of its own, light and dark."""
    scheme = '<meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width">'
    return re.sub("<h1>.*</faq-search>", r"<main>\g<0></main>", markup(site).replace("<title>", scheme + "<title>"))
