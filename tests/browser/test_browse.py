"""The pages that are read without a question, and the owner's own look, in a real browser."""

import json

import pytest
from playwright.sync_api import expect

from .test_page import FAINT

pytestmark = pytest.mark.browser

ROWS = [
    {
        "_id": "lamp",
        "question": "Who lights the lamp?",
        "answer": "<p>The <a href='https://a.example/k'>keeper</a>.</p>",
    },
    {"_id": "stairs", "question": "How many stairs are there?", "answer": "There are 211 stairs."},
    {"_id": "ar", "question": "متى تفتحون المنارة؟", "answer": "في الساعة التاسعة.", "lang": "ar"},
    {"_id": "old", "question": "Is the west stair open?", "answer": "It was.", "valid_until": "2020-01-31"},
]
SETTINGS = 'language = "auto"\naccent = "#ffd400"\ntitle = "Leuchtturm"\nexpired = "label"\nlogo = "logo.svg"\n'
LOGO = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"><script>alert(1)</script><path d="M0 0h90v30z"/></svg>'
)
ASKED = "how many steps are there to climb?"


@pytest.fixture(scope="module")
def tower(tmp_path_factory, serve_corpus):
    """The address of a site that its owner made its own."""
    home = tmp_path_factory.mktemp("tower")
    (home / "retriever.toml").write_text(SETTINGS, encoding="utf-8")
    (home / "logo.svg").write_text(LOGO, encoding="utf-8")
    (home / "tower.jsonl").write_text("\n".join(json.dumps(row | {"category": "Tower"}) for row in ROWS))
    with serve_corpus(home, home / "tower.jsonl") as address:
        yield address


def test_the_page_is_in_the_browsers_language(open_page, tower):
    page = open_page("/browse", site=tower, locale="de-DE")
    expect(page.get_by_role("heading", level=1)).to_have_text("Alle Fragen")
    expect(page.locator("html")).to_have_attribute("lang", "de")


def test_from_all_questions_to_one_and_back_without_a_script(open_page, tower):
    page = open_page("/browse", site=tower, java_script_enabled=False)
    page.get_by_role("link", name="How many stairs are there?").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How many stairs are there?")
    expect(page.get_by_role("article")).to_contain_text("211")
    page.get_by_role("navigation", name="Where you are").get_by_role("link", name="Tower").click()
    row = page.locator("details").nth(1)
    expect(row.locator(".prose")).to_be_hidden()
    row.locator("summary").click()
    expect(row.locator(".prose")).to_be_visible()


def test_the_box_on_top_searches(open_page, tower):
    page = open_page("/entry/lamp", site=tower)
    page.get_by_role("searchbox").fill(ASKED)
    page.keyboard.press("Enter")
    expect(page.locator(".hit").first).to_contain_text("How many stairs are there?")


def test_the_search_page_leads_to_all_questions(open_page, tower):
    page = open_page("/", site=tower)
    page.get_by_role("contentinfo").get_by_role("link", name="All questions").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("All questions")


def test_a_section_is_printed_with_every_answer_open_and_nothing_to_click(open_page, tower):
    page = open_page("/browse/Tower", site=tower, color_scheme="dark")
    page.emulate_media(media="print")
    for answer in page.locator("details .prose").all():
        expect(answer).to_be_visible()
        assert answer.bounding_box()["height"] > 10
    for chrome in ("header form", ".crumbs", "body > footer"):
        expect(page.locator(chrome)).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    after = page.locator(".prose a").evaluate("link => getComputedStyle(link, '::after').content")
    assert "attr(href)" in after or "https://a.example/k" in after
    assert page.pdf().startswith(b"%PDF")


def test_an_arabic_entry_runs_from_right_to_left(open_page, tower):
    page = open_page("/entry/ar", site=tower)
    heading = page.get_by_role("heading", level=1)
    assert heading.evaluate("text => getComputedStyle(text).direction") == "rtl"


@pytest.mark.parametrize("width", [320, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_can_be_read_in_the_owners_colour(open_page, tower, faults, scheme, width):
    for path in ("/", "/browse", "/browse/Tower", "/entry/old", "/entry/gone"):
        page = open_page(path, site=tower, color_scheme=scheme, viewport={"width": width, "height": 700})
        for row in page.locator("summary").all():
            row.click()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(FAINT) == []
    faults[:] = [fault for fault in faults if "status of 404" not in fault]


def test_the_logo_is_drawn_and_its_script_never_runs(open_page, tower, faults):
    page = open_page("/", site=tower)
    assert page.locator(".brand img").evaluate("logo => [logo.naturalWidth > 0, logo.width, logo.height]") == [
        True,
        96,
        32,
    ]
    alone = open_page("/static/logo.svg", site=tower)
    alone.wait_for_timeout(100)  # an alert would be a fault
    assert [fault for fault in faults if "Blocked script execution" not in fault] == []
    faults.clear()
