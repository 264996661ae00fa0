"""The search page in a real browser, served by the real product: one claim a test."""

import json
import re
from urllib.parse import quote

import httpx
import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

ASKED = "can I carry on searching if a build crashes halfway?"
FOUND = re.compile("Is the old index lost if a build is interrupted")
OTHER = "why did the North Korean leader visit Beijing?"
OTHER_FOUND = re.compile("Why did Kim travel to the Chinese capital")
LACKING = "how do I rebuild the index on Kubernetes?"
MISSPELT = "how do I install the retreiver?"
FOREIGN = "what is the boiling point of mercury on a mountain?"
TOO_LONG = "why " * 300
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    '" autofocus onfocus="alert(1)',
    "</title><script>alert(1)</script>",
    "</template><img src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href=javascript:alert(1)>how do I install it?</a>",
]


def box(page):
    return page.get_by_label("Ask in your own words")


def first(page):
    return page.locator(".hit [data-stop]").first


def outcome(page, question):
    """What is shown for a question, once it is shown."""
    return page.locator(f'[aria-busy="false"] [data-query="{question}"]')


def found(page):
    """The entries shown and their scores, in order."""
    return [(hit.get_attribute("data-entry"), hit.locator(".score").inner_text()) for hit in page.locator(".hit").all()]


def address_of(question):
    return f"/?q={quote(question)}"


# --- asking --------------------------------------------------------------------------------------------------------


def test_typing_a_question_shows_the_right_entry_first(open_page):
    page = open_page()
    box(page).press_sequentially(ASKED, delay=20)
    expect(first(page)).to_contain_text(FOUND)


def test_a_hit_shows_its_mark_confidence_score_and_source(open_page):
    page = open_page(address_of(ASKED))
    card = page.get_by_role("article")
    expect(card.locator("mark").first).to_be_visible()
    expect(card.locator(".verdict")).to_contain_text(re.compile(r"(Very likely|Probably|Possibly) the answer"))
    expect(card).to_contain_text(re.compile(r"similarity\s+0\.\d\d"))
    expect(card).to_contain_text(re.compile(r"retriever\.md:\d+"))


@pytest.mark.parametrize("scripted", [True, False])
def test_how_sure_it_is_is_told_on_demand(open_page, scripted):
    page = open_page(address_of(ASKED), java_script_enabled=scripted)
    number = page.get_by_text(re.compile(r"^Confidence \d\d?%\."))
    expect(number).to_be_hidden()
    page.locator(".sure summary").click()
    expect(number).to_be_visible()


@pytest.mark.parametrize("scripted", [True, False])
def test_why_this_adds_up_to_its_total(open_page, scripted):
    page = open_page(address_of(ASKED), java_script_enabled=scripted)
    why = page.get_by_role("article").locator(".why")
    why.locator("summary").click()
    *added, total = [int(points) for points in why.locator("td:last-child").all_inner_texts()]
    assert len(added) >= 3
    assert sum(added) == total


def test_a_related_question_is_asked_by_a_click(open_page):
    page = open_page(address_of(ASKED))
    link = page.locator(".links a").first
    question = link.inner_text()
    link.click()
    expect(outcome(page, question)).to_be_visible()
    expect(first(page)).to_have_text(question)
    page.go_back()
    expect(outcome(page, ASKED)).to_be_visible()


def test_typing_shows_what_the_form_would_have_shown(open_page):
    typed, sent = open_page(), open_page(address_of(ASKED))
    box(typed).press_sequentially(ASKED, delay=10)
    expect(outcome(typed, ASKED)).to_be_visible()
    assert found(typed) == found(sent)


def test_without_javascript_the_form_gives_the_same_hits(open_page):
    plain = open_page(java_script_enabled=False)
    box(plain).fill(ASKED)
    plain.get_by_role("button", name="Search").click()
    expect(first(plain)).to_contain_text(FOUND)
    assert found(plain) == found(open_page(address_of(ASKED)))


def test_without_javascript_the_other_hits_open(open_page):
    page = open_page(address_of(ASKED), java_script_enabled=False)
    row = page.locator(".rows > li > details").first
    row.locator("> summary").click()
    expect(row.locator(".prose")).to_be_visible()


def test_a_question_about_nothing_here_is_announced(open_page):
    page = open_page()
    box(page).fill(FOREIGN)
    expect(outcome(page, FOREIGN)).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^No good answer; \d+ nearest questions$"))


def test_a_question_about_nothing_here_opens_no_answer_and_says_what_is_missing(open_page):
    page = open_page(address_of(FOREIGN))
    notice = page.locator(".notice")
    expect(notice.get_by_role("heading", name="No good answer")).to_be_visible()
    expect(notice).to_contain_text(re.compile(r"Nothing here mentions .*mercury"))
    expect(page.get_by_role("article")).to_have_count(0)
    expect(page.get_by_role("heading", name="Nearest questions")).to_be_visible()


def test_an_answer_that_lacks_a_word_of_the_question_says_so(open_page):
    card = open_page(address_of(LACKING)).get_by_role("article")
    expect(card.locator(".verdict")).to_contain_text("Nothing here mentions Kubernetes.")


def test_a_misspelt_question_is_shown_as_it_was_searched(open_page):
    page = open_page(address_of(MISSPELT))
    expect(page.locator(".corrected")).to_contain_text("Showing results for how do I install the retriever?")
    expect(box(page)).to_have_value(MISSPELT)


@pytest.mark.parametrize("scripted", [True, False])
def test_a_misspelt_question_can_be_asked_as_it_was_typed(open_page, scripted):
    page = open_page(address_of(MISSPELT), java_script_enabled=scripted)
    page.get_by_role("link", name=MISSPELT).click()
    page.wait_for_url("**exact=1")
    expect(outcome(page, MISSPELT).locator(".hit").first).to_be_visible()
    expect(page.locator(".corrected")).to_have_count(0)
    box(page).fill(f"{MISSPELT} ")
    box(page).press("Enter")
    expect(page.locator(".corrected")).to_be_visible() if scripted else None


# --- filters -------------------------------------------------------------------------------------------------------


def chip(page, name):
    return page.get_by_role("checkbox", name=re.compile(f"^{name} "))


def test_a_filter_is_heeded_at_once_and_stays_in_the_address(open_page):
    page = open_page(address_of(OTHER))
    expect(first(page)).to_contain_text(OTHER_FOUND)
    chip(page, "retriever").check(force=True)
    expect(first(page)).not_to_contain_text(OTHER_FOUND)
    assert "tag=retriever" in page.url
    assert found(open_page(page.url)) == found(page)
    page.go_back()
    expect(first(page)).to_contain_text(OTHER_FOUND)
    expect(chip(page, "retriever")).not_to_be_checked()


def test_filters_work_without_javascript(open_page):
    page = open_page(address_of(OTHER), java_script_enabled=False)
    chip(page, "retriever").check(force=True)
    page.get_by_role("button", name="Search").click()
    expect(chip(page, "retriever")).to_be_checked()
    expect(first(page)).not_to_contain_text(OTHER_FOUND)


@pytest.mark.parametrize("width", [1280, 360])
def test_over_a_slow_line_no_part_of_the_form_moves_as_the_others_come(open_page, site, shop, width):
    page = httpx.get(site).text
    for path, kind in re.findall(r'"(/static/[^?"]+\.(css|js|svg))', page):
        shop.write(httpx.get(site + path).text, path, content_type=KINDS[kind])
    parts = re.split(r"(?=<(?:form|button|p|summary|label|section)\b)", page)
    assert len(parts) > 20
    shop.write(parts)
    slow = open_page(site=shop.address, viewport={"width": width, "height": 740})
    slow.evaluate(WATCH)
    expect(slow.locator(".filters > .chips .chip").last).to_be_visible()
    assert slow.evaluate(SHIFTED) == []


# --- what helped ---------------------------------------------------------------------------------------------------


def test_what_helped_is_said_without_leaving_and_nothing_moves(open_page):
    page = open_page(address_of(ASKED))
    page.evaluate(WATCH)
    with page.expect_request("**/feedback") as sent:
        page.get_by_role("button", name="Yes").click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    expect(page.locator(".thanks")).to_be_focused()
    assert sent.value.response().status == 204
    assert sent.value.post_data_json["question"] == ASKED
    assert page.evaluate(SHIFTED) == []


def test_what_helped_is_said_without_javascript(open_page):
    page = open_page(address_of(ASKED), java_script_enabled=False)
    expect(page.get_by_text("Thank you.")).to_be_hidden()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.get_by_text("Thank you.")).to_be_visible()
    expect(first(page)).to_contain_text(FOUND)


def test_what_cannot_be_kept_is_told(open_page, faults):
    page = open_page(address_of(ASKED))
    page.route("**/feedback", lambda route: route.fulfill(status=503))
    page.get_by_role("button", name="Yes").click()
    expect(page.locator(".sorry")).to_be_visible()
    faults[:] = [fault for fault in faults if "503" not in fault]


WATCH = """() => {
    // Every shift, also those right after a key or a click, which the usual sum leaves out.
    window.shifts = [];
    window.watcher = new PerformanceObserver((seen) => window.shifts.push(...seen.getEntries()));
    window.watcher.observe({type: "layout-shift", buffered: true});
}"""
SHIFTED = """() => {
    window.shifts.push(...window.watcher.takeRecords());
    return window.shifts.flatMap((shift) => shift.sources.map(({node, previousRect: was, currentRect: now}) =>
        `${shift.value} ${node?.outerHTML ?? node?.data} ${was.x},${was.y} to ${now.x},${now.y}`.slice(0, 200)));
}"""


def test_the_count_is_announced(open_page):
    page = open_page()
    box(page).fill(ASKED)
    expect(page.get_by_role("status")).to_have_text(re.compile(r"^\d+ passages? found; the first is \w+ "))


# --- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripted", [True, False])
def test_a_question_too_long_is_an_error_that_says_so(open_page, faults, scripted):
    page = open_page(java_script_enabled=scripted)
    box(page).fill(TOO_LONG)
    box(page).press("Enter")
    expect(page.get_by_role("heading", name="The search did not run")).to_be_visible()
    expect(page.locator(".notice")).to_contain_text("1,000")
    faults[:] = [fault for fault in faults if "status of 422" not in fault]


def test_a_server_out_of_reach_is_told_and_enter_tries_again(open_page, faults):
    page = open_page()
    page.context.set_offline(True)
    box(page).fill(ASKED)
    expect(page.locator(".notice")).to_contain_text("cannot be reached")
    page.context.set_offline(False)
    box(page).press("Enter")
    expect(first(page)).to_contain_text(FOUND)
    faults[:] = [fault for fault in faults if "ERR_INTERNET_DISCONNECTED" not in fault]


# --- typing on -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_ms", [5, 60, 170])
def test_however_fast_the_typing_the_end_is_that_of_asking_once(open_page, delay_ms):
    question = "why did Kim go to Beijing?"
    page, once = open_page(), open_page(address_of(question))
    box(page).press_sequentially(question, delay=delay_ms)
    expect(outcome(page, question)).to_be_visible()
    assert found(page) == found(once)


def test_a_late_answer_to_an_older_question_is_dropped(open_page):
    page, held = open_page(), []
    page.route(re.compile("/results.*build"), lambda route: held.append(route))  # noqa: PLW0108 (it takes functions only)
    with page.expect_request(re.compile("/results")):
        box(page).fill(ASKED)
    box(page).fill(OTHER)
    expect(outcome(page, OTHER)).to_be_visible()
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(first(page)).to_contain_text(OTHER_FOUND)


def test_going_back_on_a_typed_letter_shows_the_answer_again(open_page):
    page = open_page(address_of(ASKED))
    box(page).press("End")
    page.keyboard.type("x")
    page.wait_for_timeout(160)
    page.keyboard.press("Backspace")
    expect(outcome(page, ASKED)).to_be_visible()
    expect(first(page)).to_contain_text(FOUND)
    assert "halfwayx" not in page.url


def test_the_address_can_be_shared(open_page):
    page = open_page()
    box(page).fill(ASKED)
    expect(outcome(page, ASKED)).to_be_visible()
    other = open_page(page.url)
    expect(box(other)).to_have_value(ASKED)
    assert found(other) == found(page)


def test_back_and_forward_go_from_question_to_question(open_page):
    page = open_page()
    for question in (ASKED, OTHER):
        box(page).fill("")
        box(page).press_sequentially(question, delay=5)
        box(page).press("Enter")
        expect(outcome(page, question)).to_be_visible()
    page.go_back()
    expect(first(page)).to_contain_text(FOUND)
    expect(box(page)).to_have_value(ASKED)
    page.go_back()
    expect(page.locator("[data-state=start]")).to_be_attached()
    page.go_forward()
    expect(first(page)).to_contain_text(FOUND)


# --- by keyboard ---------------------------------------------------------------------------------------------------


def test_the_whole_journey_by_keyboard_alone(open_page):
    page = open_page(address_of(OTHER))
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()
    page.keyboard.type(ASKED)
    page.keyboard.press("Enter")
    expect(outcome(page, ASKED)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(first(page)).to_be_focused()
    page.keyboard.press("ArrowDown")
    row = page.locator(".rows > li > details").first
    expect(row.locator("> summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(row.locator(".prose")).to_be_visible()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(box(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(box(page)).to_have_value("")
    expect(page.locator("[data-state=start]")).to_be_attached()


def test_the_last_hit_is_the_end_of_the_way_down(open_page):
    page = open_page(address_of(ASKED))
    box(page).focus()
    for _ in range(page.locator("[data-stop]").count() + 3):
        page.keyboard.press("ArrowDown")
    expect(page.locator("[data-stop]").last).to_be_focused()


def test_escape_on_a_hit_returns_to_the_question(open_page):
    page = open_page(address_of(ASKED))
    first(page).focus()
    page.keyboard.press("Escape")
    expect(box(page)).to_be_focused()
    expect(box(page)).to_have_value(ASKED)


@pytest.mark.parametrize("keys", ["Control+k", "Meta+k"])
def test_control_and_k_focuses_the_box(open_page, keys):
    page = open_page(address_of(ASKED))
    expect(box(page)).not_to_be_focused()
    page.keyboard.press(keys)
    expect(box(page)).to_be_focused()


def test_a_slash_in_a_question_is_a_slash(open_page):
    page = open_page()
    box(page).press_sequentially("and/or")
    expect(box(page)).to_have_value("and/or")


def test_focus_is_visible_on_a_hit(open_page):
    page = open_page(address_of(ASKED))
    box(page).focus()
    page.keyboard.press("ArrowDown")
    assert first(page).evaluate("hit => getComputedStyle(hit).outlineStyle") == "solid"


def test_focus_on_a_hit_that_is_replaced_goes_to_the_new_one(open_page):
    page = open_page(address_of(OTHER))
    box(page).fill(ASKED)
    first(page).focus()
    expect(outcome(page, ASKED)).to_be_visible()
    expect(first(page)).to_be_focused()


# --- looks ---------------------------------------------------------------------------------------------------------


OPEN = "all => all.forEach((one) => { one.open = true; })"
LOOKS = {
    "start": "",
    "answer": ASKED,
    "lacking": LACKING,
    "corrected": MISSPELT,
    "foreign": FOREIGN,
    "long": "ab" * 400,
}


@pytest.mark.parametrize("width", [320, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_look_can_be_seen_and_needs_no_scrolling_sideways(open_page, tmp_path, scheme, width):
    for name, question in LOOKS.items():
        page = open_page(address_of(question), color_scheme=scheme, viewport={"width": width, "height": 800})
        page.locator("#results details").evaluate_all(OPEN)
        picture = tmp_path / f"{name}-{scheme}-{width}.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 5_000
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_light_and_dark_differ(open_page):
    grounds = {
        open_page(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    }
    assert len(grounds) == 2


@pytest.mark.parametrize("asked", [ASKED, LACKING, MISSPELT, FOREIGN])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_their_ground(open_page, scheme, asked):
    page = open_page(address_of(asked), color_scheme=scheme)
    page.locator("#results details").evaluate_all(OPEN)
    assert page.evaluate(FAINT) == []


FAINT = """() => {
    // WCAG 2 contrast of every run of text against the grounds below it, painted so that any colour syntax will do.
    const pen = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const grounds = (node) => (node ? [...grounds(node.parentElement), getComputedStyle(node).backgroundColor] : []);
    const paint = (colours) => {
        for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
        return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (rgb) => rgb
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("template, .unseen")) continue;
        const below = ["white", ...grounds(node)];
        const two = [light(paint(below)), light(paint([...below, getComputedStyle(node).color]))];
        const contrast = (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
        if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
    return faint;
}"""


def test_motion_stops_for_those_who_ask(open_page):
    page = open_page(reduced_motion="reduce")
    assert page.locator("#results").evaluate("part => getComputedStyle(part).transitionDuration") == "0s"


# --- attacks -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bypass_csp", [False, True])
@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_in_the_question_runs_nothing(open_page, payload, bypass_csp):
    page = open_page(address_of(payload), bypass_csp=bypass_csp)
    expect(box(page)).to_have_value(payload)
    box(page).fill(f"{payload} again")
    expect(page.locator('[aria-busy="false"] [data-query$=" again"]')).to_be_visible()


STORED = [
    "<script>hit()</script>",
    "<ScRiPt >hit()</sCrIpT>",
    "<scr<script>ipt>hit()</scr</script>ipt>",
    "<img src=x onerror=hit()>",
    "<img src='/static/icon.svg' onload=hit()>",
    "<svg onload=hit()>",
    "<svg><animate onbegin=hit() attributeName=x dur=1s>",
    "<svg><script>hit()</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=hit()>",
    "<iframe srcdoc='<script>parent.hit()</script>'></iframe>",
    "<details open ontoggle=hit()>",
    "<input autofocus onfocus=hit()>",
    "<a href=javascript:hit()>click</a>",
    "<a href=' &#1;java&#10;script:hit()'>click</a>",
    "[click](javascript:hit()) <javascript:hit()>",
    "</title></textarea></template></noscript><script>hit()</script>",
    "\"' onmouseover=hit() onfocus=hit() autofocus tabindex=0 x='\"",
    "\"><img src=x onerror=hit()>'><img src=x onerror=hit()>`",
    "{{ hit() }}{% print(hit) %}${hit()}<%= hit() %>#{hit()}",
    "<!--><img src=x onerror=hit()>--><![CDATA[<img src=x onerror=hit()>]]>",
    "&lt;img src=x onerror=hit()&gt;&#60;script&#62;hit()&#60;/script&#62;",
    "<style>@import 'https://evil.example/x.css';*{background:url(https://evil.example)}</style>",
    "<base href=https://evil.example/><meta http-equiv=refresh content='0;url=javascript:hit()'>",
    "<form action=javascript:hit()><button>go</button></form><x style='animation:a' onanimationstart=hit()>",
    "<img src=x:x onerror  =  hit()>",
    "<img/src=x/onerror=hit()>",
    "<IMG SRC=x OnErRoR=hit()>",
    "<img src=x onerror=&#104;it()>",
    "<img src=x onerror=eval(atob('aGl0KCk='))>",
    "<img srcset=',x 2x' onerror=hit()>",
    "<image href=x onerror=hit()>",
    "<picture><source srcset=x><img onerror=hit()></picture>",
    "<video><source onerror=hit()></video>",
    "<audio src=x onerror=hit()></audio>",
    "<video poster=javascript:hit() controls></video>",
    "<object data=javascript:hit()></object>",
    "<embed src=javascript:hit()>",
    "<object type='text/html' data='data:text/html,<script>parent.hit()</script>'></object>",
    "<iframe src='data:text/html,<script>parent.hit()</script>'></iframe>",
    "<iframe src=javascript:parent.hit()></iframe>",
    "<a href='data:text/html,<script>hit()</script>'>click</a>",
    "<a href=vbscript:hit()>click</a>",
    "<a href=//evil.example ping=https://evil.example/seen>click</a>",
    "<svg><a href=javascript:hit()><text y=9>click</text></a></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=hit()></svg>#x'></svg>",
    "<svg><set attributeName=onmouseover to=hit()></svg>",
    "<svg><foreignObject><body onload=hit()></foreignObject></svg>",
    "<math href=javascript:hit()><mi>click</mi></math>",
    "<select autofocus onfocus=hit()><option>a</option></select>",
    "<textarea autofocus onfocus=hit()></textarea>",
    "<marquee onstart=hit()>round</marquee>",
    "<body onpageshow=hit() onhashchange=hit()>",
    "<p contenteditable onbeforeinput=hit() onpointerover=hit() onfocusin=hit() tabindex=1>p</p>",
    '<p style="background:url(javascript:hit())" onmouseenter=hit()>p</p>',
    "<link rel=stylesheet href='data:text/css,*{color:red}'><link rel=import href=//evil.example>",
    "<template shadowrootmode=open><img src=x onerror=hit()></template>",
    "<noscript><p title='</noscript><img src=x onerror=hit()>'>",
    "<xmp><p title='</xmp><img src=x onerror=hit()>'></xmp><plaintext>",
    "<form id=form><input name=q form=q><input name=attributes><output name=innerHTML></form>",
    "<b id=results></b><b id=q name=elements></b><b class=hit data-stop></b>\u202e<img src=x onerror=hit()>",
]
TRAP = "window.__xss = 0; window.hit = () => { window.__xss += 1; }; window.alert = window.hit;"


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory, serve_corpus):
    """The address of a server whose every entry is a payload wherever an owner can write one."""
    home = tmp_path_factory.mktemp("hostile")
    corpus = home / "corpus"
    corpus.mkdir()
    lines = [json.dumps(hostile_entry(number, payload)) for number, payload in enumerate(STORED)]
    (corpus / "payloads <img src=x onerror=hit()>.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with serve_corpus(home, corpus) as address:
        yield address


def hostile_entry(number, payload):
    return {
        "id": f"{number} {payload}",
        "question": f"How do I feed animal {number} {payload}?",
        "answer": f"Feed animal {number} with {payload} twice.\n\n{payload}",
        "answer_format": ("text", "markdown", "html")[number % 3],
        "alternates": [f"meals of animal {number} {payload}"],
        "tags": [payload],
        "title": payload,
        "url": "https://example.org/" + re.sub(r"\s", "", payload),  # a build refuses white space, and javascript: too
        "anchor": payload,
        "metadata": {payload: payload},
    }


@pytest.mark.parametrize("bypass_csp", [False, True])
def test_payloads_in_the_corpus_run_nothing(open_page, hostile_site, bypass_csp):
    page = open_page(site=hostile_site, bypass_csp=bypass_csp)
    page.add_init_script(TRAP)
    for number, payload in enumerate(STORED):
        page.goto(address_of(f"How do I feed animal {number} {payload}?") + "&k=5")
        expect(page.locator(".hit", has_text=f"feed animal {number} ")).not_to_have_count(0)
        page.locator(".hit :is(h2, a, summary, .place, .tags li)").evaluate_all(TOUCH)
        assert page.evaluate("window.__xss") == 0
    page.locator("#results details").evaluate_all(OPEN)
    box(page).fill("what are the meals of animal 7?")
    expect(outcome(page, "what are the meals of animal 7?")).to_be_visible()
    assert set(page.locator("a[href]").evaluate_all("links => links.map((link) => link.protocol)")) <= WEB
    assert page.locator("#results").evaluate(ATTRIBUTES) == []
    assert page.evaluate("window.__xss") == 0


WEB = {"http:", "https:"}
TOUCH = "all => all.forEach((one) => one.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})))"
ATTRIBUTES = """results => [...results.querySelectorAll("*:not(.helpful, .helpful > input)")]
    .filter((part) => /^(script|style|img|iframe|object|embed|form|input|base|meta|animate|math)$/i.test(part.localName)
        || [...part.attributes].some(({name}) => name.startsWith("on") || name === "style"))
    .map((part) => part.outerHTML)"""


def test_the_policy_is_sent_with_the_page_and_the_results(open_page):
    page = open_page()
    for path in ("/", "/results?q=hello"):
        policy = page.request.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "require-trusted-types-for 'script'" in policy


def test_the_page_cannot_turn_a_string_into_html(open_page, faults):
    page = open_page()
    refused = page.evaluate("() => { try { document.body.innerHTML = '<b>x</b>'; } catch { return true; } }")
    assert refused is True
    faults[:] = [fault for fault in faults if "TrustedHTML" not in fault]
