"""`<faq-search>` on a page of another site, in a real browser: one claim a test."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from browser.hosts import hosting, markup
from browser.test_page import (
    ASKED,
    ATTRIBUTES,
    FOREIGN,
    FOUND,
    LACKING,
    MISSPELT,
    OTHER,
    OTHER_FOUND,
    PAYLOADS,
    STORED,
    TOO_LONG,
    TRAP,
    WEB,
    hostile_entry,
)

pytestmark = pytest.mark.browser

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed.html"
SERVED_AT = "http://127.0.0.1:8000"  # what the example says
STRICT = "default-src 'none'; style-src 'none'; script-src {site}; connect-src {site}; base-uri 'none'"
TYPED = "; require-trusted-types-for 'script'; trusted-types {names}"
NO_SET_HTML = "delete Element.prototype.setHTML;"


def box(page):
    return page.get_by_role("combobox").first


def panel(page):
    """The answer or what stands in its place, once it is not an older one."""
    return page.locator('faq-search [aria-busy="false"] .panel').first


def ask(page, question):
    box(page).fill(question)
    box(page).press("Enter")
    return panel(page)


def options(page):
    return page.get_by_role("option")


# --- asking --------------------------------------------------------------------------------------------------------


def test_the_example_answers_from_another_origin(open_host, site, shop):
    page = open_host(html=EXAMPLE.read_text(encoding="utf-8").replace(SERVED_AT, site))
    box(page).press_sequentially(ASKED, delay=20)
    expect(panel(page)).to_contain_text(FOUND)
    assert page.url.startswith(shop.address)
    assert shop.address != site


def test_typing_alone_brings_the_answer(open_host):
    page = open_host()
    box(page).press_sequentially(ASKED, delay=20)
    expect(panel(page)).to_contain_text(FOUND)


def test_an_answer_shows_its_mark_its_confidence_and_its_source(open_host):
    answer = ask(open_host(), ASKED)
    expect(answer.locator("mark").first).to_be_visible()
    expect(answer).to_contain_text(re.compile(r"(Very likely|Probably|Possibly) the answer"))
    expect(answer.get_by_role("img", name=re.compile(r"about \d\d? are right"))).to_be_visible()
    expect(answer).to_contain_text("source: About retriever")


def test_the_other_hits_open(open_host):
    answer = ask(open_host('k="4"'), ASKED)
    expect(answer.locator("details")).to_have_count(3)
    answer.locator("summary").first.click()
    expect(answer.locator("details").first.locator(".prose")).to_be_visible()


def test_the_link_to_the_page_asks_the_same_there(open_host, site):
    link = ask(open_host(), ASKED).get_by_role("link", name="More on the FAQ page")
    assert link.get_attribute("rel") == "noreferrer"
    link.click()
    expect(link.page.get_by_role("article").first).to_contain_text(FOUND)
    assert link.page.url.startswith(f"{site}/?q=")


def test_no_good_answer_says_what_is_missing_and_shows_what_is_near(open_host):
    notice = ask(open_host(), FOREIGN)
    expect(notice).to_contain_text("No good answer")
    expect(notice).to_contain_text(re.compile("Nothing here mentions .*mercury"))
    expect(notice.locator("details")).to_have_count(3)


def test_an_answer_that_lacks_a_word_says_so(open_host):
    expect(ask(open_host(), LACKING)).to_contain_text("Nothing here mentions Kubernetes.")


def test_a_misspelt_question_is_shown_as_it_was_searched(open_host):
    expect(ask(open_host(), MISSPELT)).to_contain_text("Showing results for how do I install the retriever?")


def test_only_entries_with_the_tags_are_found(open_host):
    answer = ask(open_host('tags="world, nothing else"'), ASKED)
    expect(answer).to_contain_text("Beijing")
    assert "tag=world" in answer.get_by_role("link").last.get_attribute("href")


def test_without_src_it_asks_where_it_comes_from(open_host, site):
    html = markup(site).replace(f'faq-search src="{site}"', "faq-search")
    expect(ask(open_host(html=html), ASKED)).to_contain_text(FOUND)


def test_without_javascript_its_content_is_shown(open_host):
    page = open_host(java_script_enabled=False)
    expect(page.get_by_role("link", name="Search our FAQ")).to_be_visible()


# --- typing on -----------------------------------------------------------------------------------------------------


def test_a_late_answer_to_an_older_question_is_dropped(open_host):
    page, held = open_host(), []
    page.route(re.compile("/ask.*build"), lambda route: held.append(route))  # noqa: PLW0108 (it takes functions only)
    with page.expect_request(re.compile("/ask")):
        box(page).fill(ASKED)
    box(page).fill(OTHER)
    expect(panel(page)).to_contain_text(OTHER_FOUND)
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(panel(page)).to_contain_text(OTHER_FOUND)


def test_going_back_on_a_typed_letter_keeps_the_answer(open_host):
    page = open_host()
    ask(page, ASKED)
    expect(panel(page)).to_contain_text(FOUND)
    box(page).press_sequentially("x")
    box(page).press("Backspace")
    expect(panel(page)).to_contain_text(FOUND)


def test_suggestions_appear_while_one_types_and_make_way_for_the_answer(open_host):
    page = open_host()
    box(page).press_sequentially("how do I install", delay=30)
    expect(options(page).first).to_be_visible()
    expect(panel(page)).to_be_visible()
    expect(options(page).first).to_be_hidden()
    expect(box(page)).to_have_attribute("aria-expanded", "false")


def test_a_suggestion_that_is_clicked_is_asked(open_host):
    page = open_host()
    box(page).press_sequentially("install", delay=10)
    options(page).filter(has_text="How do I install retriever").click()
    expect(box(page)).to_have_value(re.compile("How do I install retriever"))
    expect(box(page)).to_be_focused()
    expect(panel(page)).to_contain_text("make install")


# --- by keyboard and by ear ----------------------------------------------------------------------------------------


def test_the_keyboard_goes_through_the_suggestions_and_the_focus_stays_in_the_box(open_host):
    page = open_host()
    box(page).press_sequentially("how do I", delay=10)
    expect(options(page).first).to_be_visible()
    expect(box(page)).not_to_have_attribute("aria-activedescendant", re.compile("."))
    box(page).press("ArrowDown")
    expect(options(page).first).to_have_attribute("aria-selected", "true")
    expect(box(page)).to_have_attribute("aria-activedescendant", options(page).first.get_attribute("id"))
    expect(box(page)).to_be_focused()
    box(page).press("ArrowUp")
    expect(box(page)).not_to_have_attribute("aria-activedescendant", re.compile("."))
    box(page).press("ArrowUp")
    expect(options(page).last).to_have_attribute("aria-selected", "true")


def test_enter_takes_the_suggestion(open_host):
    page = open_host()
    box(page).press_sequentially("install", delay=10)
    expect(options(page).first).to_be_visible()
    box(page).press("ArrowDown")
    chosen = options(page).first.inner_text()
    box(page).press("Enter")
    expect(box(page)).to_have_value(chosen)
    expect(options(page).first).to_be_hidden()
    expect(panel(page)).to_contain_text(chosen)


def test_escape_closes_the_suggestions_and_then_empties_the_box(open_host):
    page = open_host()
    box(page).press_sequentially("install", delay=10)
    expect(options(page).first).to_be_visible()
    box(page).press("Escape")
    expect(options(page).first).to_be_hidden()
    expect(box(page)).to_have_value("install")
    box(page).press("Escape")
    expect(box(page)).to_have_value("")
    expect(page.locator("faq-search .panel")).to_have_count(0)


def test_down_opens_the_suggestions_again(open_host):
    page = open_host()
    box(page).press_sequentially("install", delay=10)
    expect(options(page).first).to_be_visible()
    box(page).press("Escape")
    box(page).press("ArrowDown")
    expect(options(page).first).to_be_visible()


def test_the_answer_is_announced(open_host):
    page = open_host()
    ask(page, ASKED)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^\d passages? found\. \w+ .*the answer$"))


def test_focus_is_visible(open_host):
    page = open_host()
    box(page).focus()
    assert page.locator("faq-search .box").evaluate("box => getComputedStyle(box).outlineStyle") == "solid"


# --- when it cannot --------------------------------------------------------------------------------------------------


def test_on_a_site_that_is_not_listed_it_says_so_and_leads_to_the_page(open_host, faults, site):
    with hosting() as stranger:
        page = open_host(host=stranger)
        notice = ask(page, ASKED)
        expect(notice).to_contain_text("Questions cannot be asked from this page.")
        assert (
            notice.get_by_role("link", name="More on the FAQ page").get_attribute("href").startswith(f"{site}/?q=can")
        )
        page.context.close()
    assert any(f"does not list {stranger.address} among its --origins" in fault for fault in faults)
    faults[:] = [fault for fault in faults if "origin" not in fault.lower() and "ERR_FAILED" not in fault]


def test_a_server_out_of_reach_is_told_and_can_be_tried_again(open_host, faults):
    page = open_host()
    page.context.set_offline(True)
    notice = ask(page, ASKED)
    expect(notice).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    expect(panel(page)).to_contain_text(FOUND)  # by itself, once there is a network
    faults[:] = [fault for fault in faults if "ERR_INTERNET_DISCONNECTED" not in fault]


def test_a_server_that_fails_is_told_and_can_be_tried_again(open_host, faults):
    page = open_host()
    page.route(re.compile("/ask"), lambda route: route.abort())
    notice = ask(page, ASKED)
    expect(notice).to_contain_text("could not take the question")
    page.unroute_all()
    notice.get_by_role("button", name="Try again").click()
    expect(panel(page)).to_contain_text(FOUND)
    faults[:] = [fault for fault in faults if "ERR_FAILED" not in fault]


def test_a_question_too_long_is_told_without_asking(open_host):
    expect(ask(open_host(), TOO_LONG.strip())).to_contain_text("Your question has 1,199 characters; the most is 1,000.")


# --- a guest on the page ---------------------------------------------------------------------------------------------


def test_it_works_under_a_strict_policy_that_forbids_trusted_types(open_host, site):
    policy = (STRICT + TYPED).format(site=site, names="'none'")
    page = open_host(headers={"content_security_policy": policy})
    answer = ask(page, ASKED)
    expect(answer.locator("mark").first).to_be_visible()
    assert page.locator("faq-search .panel").evaluate("panel => getComputedStyle(panel).borderTopStyle") == "solid"


@pytest.mark.parametrize(("names", "marks"), [("faq-search", True), ("other", False)])
def test_without_sethtml_it_needs_its_policy_and_else_shows_the_text(open_host, site, faults, names, marks):
    policy = (STRICT + TYPED).format(site=site, names=names)
    answer = ask(open_host(headers={"content_security_policy": policy}, script=NO_SET_HTML), ASKED)
    expect(answer).to_contain_text("The previous snapshot goes on serving")
    assert (answer.locator("mark").count() > 0) is marks
    if not marks:
        faults[:] = [fault for fault in faults if "faq-search" not in fault]


def test_it_leaves_nothing_in_the_page_but_its_element(open_host, site):
    bare = f"<!doctype html><title>Shop</title><h1>Help</h1><script type=module src={site}/faq-search.js></script>"
    names = "() => Object.getOwnPropertyNames(window).sort()"
    without = open_host(html="<!doctype html><title>Shop</title>").evaluate(names)
    page = open_host(html=bare)
    page.wait_for_function("() => customElements.get('faq-search')")
    assert page.evaluate(names) == without


def test_several_stand_on_one_page_and_do_not_hear_each_other(open_host, site):
    page = open_host(more=f'<faq-search src="{site}" label="Another"></faq-search>')
    ask(page, ASKED)
    second = page.get_by_role("combobox", name="Another")
    second.fill(OTHER)
    expect(page.locator("faq-search").nth(1).locator(".panel")).to_contain_text(OTHER_FOUND)
    expect(panel(page)).to_contain_text(FOUND)


def test_loaded_twice_it_is_defined_once(open_host, site):
    page = open_host(more=f'<script type="module" src="{site}/faq-search.js?again"></script>')
    expect(ask(page, ASKED)).to_contain_text(FOUND)


def test_taken_out_of_the_page_it_asks_nothing_more_and_put_back_it_does(open_host):
    page, asked = open_host(), []
    page.on("request", lambda request: asked.append(request.url) if "/ask" in request.url else None)
    box(page).fill(ASKED)
    page.evaluate("() => { window.kept = document.querySelector('faq-search'); kept.remove(); }")
    page.wait_for_timeout(400)
    assert asked == []
    page.evaluate("() => { document.body.append(kept); kept.ask('why did Kim go to Beijing?'); }")
    expect(panel(page)).to_contain_text(OTHER_FOUND)


def test_developers_hear_of_answers_and_of_errors(open_host):
    heard = "for (const kind of ['faq-answer', 'faq-error']) addEventListener(kind, (e) => (heard[kind] = e.detail))"
    page = open_host(script=f"window.heard = {{}}; {heard};")
    expect(ask(page, ASKED)).to_contain_text(FOUND)
    assert page.evaluate("() => heard['faq-answer'].hits[0].entry_id").startswith("is-the-old-index-lost")
    ask(page, TOO_LONG.strip())
    expect(panel(page)).to_contain_text("1,000")
    assert page.evaluate("() => heard['faq-error'].kind") == "long"


def test_it_speaks_the_language_of_the_page_or_its_own(open_host, site):
    page = open_host(more=f'<div lang="de-AT"><faq-search src="{site}" k="1"></faq-search></div>')
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_visible()
    german = page.locator("[lang='de-AT']")
    expect(german.get_by_role("button", name="Suchen")).to_be_visible()
    german.get_by_role("combobox").fill(FOREIGN)
    expect(german.locator(".panel")).to_contain_text("Keine gute Antwort")
    expect(german.locator(".panel")).to_contain_text("Nichts hier beantwortet das gut genug")


def test_it_takes_the_colours_of_the_page(open_host):
    page = open_host(
        more="<style>faq-search { --faq-accent: rgb(1, 2, 3) } faq-search::part(box) { margin: 7px }</style>"
    )
    assert page.get_by_role("button").evaluate("button => getComputedStyle(button).backgroundColor") == "rgb(1, 2, 3)"
    assert page.locator("faq-search .box").evaluate("box => getComputedStyle(box).marginTop") == "7px"


@pytest.mark.parametrize(("declared", "dark"), [("light dark", True), ("light", False)])
def test_it_is_dark_where_the_page_is(open_host, declared, dark):
    page = open_host(more=f"<meta name=color-scheme content='{declared}'>", color_scheme="dark")
    ground = page.locator("faq-search .box").evaluate("box => getComputedStyle(box).backgroundColor")
    assert (ground != "rgb(255, 255, 255)") is dark


def test_it_runs_from_right_to_left_where_the_page_does(open_host, site):
    page = open_host(html=markup(site).replace("<html", "<html dir=rtl"))
    assert box(page).bounding_box()["x"] > page.get_by_role("button").bounding_box()["x"]


@pytest.mark.parametrize("width", [320, 700])
def test_it_needs_no_scrolling_sideways(open_host, width):
    page = open_host(viewport={"width": width, "height": 800})
    expect(ask(page, "ab" * 400)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# --- attacks -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, serve_corpus, shop):
    """The address of a server whose every entry is a payload wherever an owner can write one."""
    home = tmp_path_factory.mktemp("hostile")
    corpus = home / "corpus"
    corpus.mkdir()
    lines = [json.dumps(hostile_entry(number, payload)) for number, payload in enumerate(STORED)]
    (corpus / "payloads <img src=x onerror=hit()>.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with serve_corpus(home, corpus, "--origins", shop.address) as address:
        yield address


@pytest.mark.parametrize("set_html", [True, False])
def test_payloads_in_the_corpus_run_nothing_on_a_page_without_a_policy(open_host, hostile, site, set_html):
    html = markup(hostile, 'k="5"').replace(hostile + "/faq-search.js", site + "/faq-search.js")
    page = open_host(html=html, script=TRAP + ("" if set_html else NO_SET_HTML), also=hostile)
    for number, payload in enumerate(STORED):
        ask(page, f"How do I feed animal {number} {payload}?")
        expect(page.locator("faq-search .panel", has_text=f"feed animal {number} ")).to_be_visible()
        assert page.evaluate("window.__xss") == 0
    page.locator("faq-search details").evaluate_all("rows => rows.forEach((row) => { row.open = true; })")
    assert set(page.locator("faq-search a").evaluate_all("links => links.map((link) => link.protocol)")) <= WEB
    assert (
        page.locator("faq-search").evaluate(
            f"host => ({ATTRIBUTES})(host.shadowRoot.querySelector('.prose').parentNode)"
        )
        == []
    )
    assert page.evaluate("window.__xss") == 0


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_the_question_runs_nothing(open_host, payload):
    page = open_host(script=TRAP)
    panel_ = ask(page, f"install {payload}")
    expect(panel_).to_be_visible()
    assert page.evaluate("window.__xss") == 0
    expect(box(page)).to_have_value(f"install {payload}")
