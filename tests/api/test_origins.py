"""Pages of other sites: those listed may read what askers ask, all others and all else may not."""

import pytest

from api.conftest import running, wait_for
from hashing import HashingEncoder
from retriever import Searcher

SHOP = "https://shop.example"
OTHER = "https://other.example"


def asking(small_index, *origins):
    return running(lambda: Searcher.open(small_index, HashingEncoder()), origins=origins)


@pytest.fixture(scope="module")
def shared(small_index):
    """A client of an application that lets one site ask."""
    with asking(small_index, SHOP) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def allowed(reply):
    return reply.headers.get("access-control-allow-origin")


def preflight(client, path="/ask", origin=SHOP, method="POST", headers="content-type"):
    asked = {"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options(path, headers=asked)


def test_a_page_of_a_site_that_is_listed_may_read_an_answer(shared):
    reply = shared.get("/ask", params={"q": "blue green"}, headers={"Origin": SHOP})
    assert (reply.status_code, allowed(reply)) == (200, SHOP)


def test_a_page_of_another_site_may_not(shared):
    reply = shared.get("/ask", params={"q": "blue green"}, headers={"Origin": OTHER})
    assert (reply.status_code, allowed(reply)) == (200, None)


@pytest.mark.parametrize("near", ["http://shop.example", f"{SHOP}:8443", f"{SHOP}.evil.example", "null", SHOP.upper()])
def test_what_only_resembles_a_listed_site_may_not(shared, near):
    assert allowed(shared.get("/ask", params={"q": "blue"}, headers={"Origin": near})) is None


@pytest.mark.parametrize("origin", [SHOP, OTHER, None])
def test_caches_are_told_that_the_reply_depends_on_the_site(shared, origin):
    reply = shared.get("/ask", params={"q": "blue"}, headers={"Origin": origin} if origin else {})
    assert "Origin" in reply.headers["vary"]


def test_a_refusal_can_be_read_by_the_page_that_was_refused(shared):
    reply = shared.get("/ask", params={"q": " "}, headers={"Origin": SHOP})
    assert (reply.status_code, allowed(reply)) == (422, SHOP)
    reply = shared.post("/ask", content="q=blue", headers={"Origin": SHOP, "Content-Type": "text/plain"})
    assert (reply.status_code, allowed(reply)) == (415, SHOP)


def test_a_preflight_is_answered_and_may_be_kept(shared):
    reply = preflight(shared)
    assert (reply.status_code, allowed(reply)) == (200, SHOP)
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert int(reply.headers["access-control-max-age"]) >= 600


@pytest.mark.parametrize("wrong", [{"origin": OTHER}, {"method": "DELETE"}, {"headers": "authorization"}])
def test_a_preflight_for_more_than_is_allowed_is_refused(shared, wrong):
    assert preflight(shared, **wrong).status_code == 400


def test_no_site_is_let_in_with_cookies(shared):
    for reply in (preflight(shared), shared.get("/ask", params={"q": "blue"}, headers={"Origin": SHOP})):
        assert "access-control-allow-credentials" not in reply.headers


@pytest.mark.parametrize("path", ["/", "/results?q=blue", "/info", "/readyz", "/openapi.json", "/static/page.js"])
def test_what_is_not_for_search_boxes_is_read_by_no_other_site(shared, path):
    reply = shared.get(path, headers={"Origin": SHOP})
    assert (reply.status_code, allowed(reply)) == (200, None)


def test_without_a_list_no_other_site_may_ask(client):
    assert allowed(client.get("/ask", params={"q": "blue"}, headers={"Origin": SHOP})) is None
    assert preflight(client).status_code == 405


def test_a_star_lets_every_site_ask(small_index):
    with asking(small_index, "*") as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        assert allowed(client.get("/ask", params={"q": "blue"}, headers={"Origin": OTHER})) == "*"


@pytest.mark.parametrize("origin", [SHOP, OTHER])
def test_the_search_box_loads_on_every_site_and_keeps_its_address(shared, origin):
    reply = shared.get("/faq-search.js", headers={"Origin": origin})
    assert (reply.status_code, allowed(reply)) == (200, "*")
    assert reply.headers["content-type"].startswith("text/javascript")
    assert "max-age" in reply.headers["cache-control"]


def test_the_search_box_is_sent_once(client):
    tag = client.get("/faq-search.js").headers["etag"]
    again = client.get("/faq-search.js", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
