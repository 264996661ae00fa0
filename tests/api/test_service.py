"""Health, what is served, the docs, the page and the headers of them all."""

import re
import threading

import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.api.requests import AskRequest
from retriever.web.assets import static_url

from .conftest import running, wait_for


@pytest.fixture
def unready(small_index):
    """A client of an application whose index is being opened until the test is over."""
    may_open = threading.Event()

    def open_slowly():
        may_open.wait(30)
        return Searcher.open(small_index, HashingEncoder())

    with running(open_slowly) as client:
        yield client
        may_open.set()
        wait_for(lambda: client.get("/readyz").status_code == 200)


@pytest.fixture
def damaged(own_index):
    """A client of an application whose index lost a byte."""
    (path,) = own_index.glob("snapshots/*/vectors.faiss")
    path.chmod(0o644)
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with running(lambda: Searcher.open(own_index, HashingEncoder())) as client:
        wait_for(lambda: "being opened" not in client.get("/readyz").text)
        yield client


# --- health -------------------------------------------------------------------------------------------------------


def test_the_server_is_up_before_the_index_is_open(unready):
    reply = unready.get("/healthz")
    assert (reply.status_code, reply.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/readyz", "/info", "/ask?q=blue"])
def test_before_the_index_is_open_everything_else_is_503_and_says_when_to_ask_again(unready, path):
    reply = unready.get(path)
    assert reply.status_code == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert int(reply.headers["retry-after"]) > 0
    assert reply.json()["detail"] == "The index is being opened."


def test_the_page_shows_before_the_index_is_open(unready):
    assert unready.get("/").status_code == 200
    assert "not open yet" in unready.get("/?q=blue").text


def test_a_bad_request_is_told_before_the_index_is_open(unready):
    assert unready.get("/ask?q=").status_code == 422


def test_a_damaged_index_is_not_served_and_the_file_is_named(damaged):
    reply = damaged.get("/readyz")
    assert reply.status_code == 503
    assert "vectors.faiss" in reply.json()["detail"]
    assert "retriever build" in reply.json()["detail"]


def test_with_a_damaged_index_the_server_is_still_up(damaged):
    assert damaged.get("/healthz").status_code == 200
    assert damaged.get("/ask?q=blue").status_code == 503


def test_an_index_that_is_not_there_is_told_with_the_command_that_builds_it(tmp_path):
    with running(lambda: Searcher.open(tmp_path / "nowhere", HashingEncoder())) as client:
        wait_for(lambda: "retriever build" in client.get("/readyz").text)
        assert client.get("/readyz").status_code == 503


def test_ready_names_the_snapshot(client, searcher):
    assert client.get("/readyz").json() == {"status": "ready", "snapshot": searcher.manifest.id}


def test_info_is_the_manifest(client):
    info = client.get("/info").json()
    told = {
        "id",
        "format",
        "created",
        "corpus",
        "encoder",
        "counts",
        "calibration",
        "lang",
        "files",
        "nearest",
        "sizes",
    }
    assert set(info) == told
    assert info["encoder"]["model"] == "hashing"
    assert {"floor", "scope", "right", "slope", "shift", "labelled", "separation"} == set(info["calibration"])
    assert (info["counts"]["entries"], info["counts"]["files"], info["counts"]["pages"]) == (6, 3, 1)


# --- docs ---------------------------------------------------------------------------------------------------------


def test_the_docs_load_nothing_from_a_third_party(client):
    html = client.get("/docs").text
    assert not re.search(r"""(?:src|href|url)\s*[=:]\s*["'](?:https?:)?//""", html)


def test_all_that_the_docs_load_is_here(client):
    addresses = re.findall(r'(?:src|href)="([^"]+)"', client.get("/docs").text)
    assert len(addresses) == 3
    assert {client.get(address).status_code for address in [*addresses, "/openapi.json"]} == {200}


def test_the_docs_may_run_only_their_own_script(client):
    policy = client.get("/docs").headers["content-security-policy"]
    (scripts,) = re.findall(r"script-src ([^;]*)", policy)
    assert re.fullmatch(r"'self' 'sha256-[A-Za-z0-9+/=]+'", scripts)


def test_the_description_shows_a_question_that_can_be_asked(client):
    described = client.get("/openapi.json").json()["components"]["schemas"]["AskRequest"]
    assert described["examples"]
    for example in described["examples"]:
        AskRequest.model_validate(example)
        assert client.post("/ask", json=example).status_code == 200


def test_the_description_knows_every_problem_that_ask_can_be(client):
    described = client.get("/openapi.json").json()["paths"]["/ask"]
    assert {"400", "413", "415", "422", "503"} <= set(described["post"]["responses"])
    assert {"422", "503"} <= set(described["get"]["responses"])


def test_the_description_names_every_key_of_an_answer(client, ask):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    answer = ask("blue")
    assert list(schemas["Answer"]["properties"]) == list(answer)
    assert list(schemas["Hit"]["properties"]) == list(answer["hits"][0])


# --- the page -----------------------------------------------------------------------------------------------------


def test_the_page_is_a_search_box(client):
    html = client.get("/").text
    assert "<title>Little FAQ" in html
    assert 'name="q"' in html


def test_the_page_of_a_question_holds_the_answer_without_javascript(client):
    html = client.get("/", params={"q": "forgot passphrase"}).text
    assert "how do I reset my password" in html
    assert "press the" in html


def test_results_are_the_part_of_the_page_that_changes(client):
    part, whole = (client.get(path, params={"q": "blue"}).text for path in ("/results", "/"))
    assert "<html" not in part
    assert "blue green" in part
    assert "blue green" in whole


def test_k_in_the_address_of_the_page_is_heard(client):
    assert 'data-announce="1 passage found' in client.get("/results?q=blue&k=1").text
    assert 'data-announce="3 passages found' in client.get("/results?q=blue&k=3").text


@pytest.mark.parametrize("query", ["q=" + "x" * 1001, "q=blue&k=0", "q=blue&k=99"])
def test_what_is_wrong_with_a_question_is_shown_on_the_page(client, query):
    reply = client.get(f"/?{query}")
    assert reply.status_code == 422
    assert reply.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("query", ["", "q=", "q=%20%20", "k=3", "q=&k=abc"])
def test_a_page_without_a_question_is_the_start_page(client, query):
    assert client.get(f"/?{query}").status_code == 200


@pytest.mark.parametrize("k", ["abc", "1.5", "²", "9" * 5000, ""])
def test_a_k_that_is_no_number_is_overlooked_on_the_page(client, k):
    assert client.get("/", params={"q": "blue", "k": k}).status_code == 200


def test_a_question_is_escaped_on_the_page(client):
    assert "<script>alert" not in client.get("/", params={"q": "<script>alert(1)</script>"}).text


# --- headers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/?q=blue", "/results?q=blue", "/ask?q=blue", "/healthz", "/docs", "/nowhere"])
def test_every_reply_carries_the_safe_headers_and_none_that_tells_of_the_server(client, path):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert not {"server", "x-powered-by"} & set(headers)


@pytest.mark.parametrize("path", ["/", "/?q=blue", "/?q=" + "x" * 1001, "/results?q=blue"])
def test_a_page_may_run_no_script_but_ours_and_no_frame_may_hold_it(client, path):
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_results_by_themselves_are_not_for_search_engines(client):
    assert client.get("/results?q=blue").headers["x-robots-tag"] == "noindex"


@pytest.mark.parametrize("name", ["page.js", "page.css", "icon.svg"])
def test_static_files_are_kept_for_ever_under_an_address_that_changes_with_them(client, name):
    reply = client.get(static_url(name))
    assert reply.status_code == 200
    assert "immutable" in reply.headers["cache-control"]


@pytest.mark.parametrize("path", ["/static/page.js", "/faq-search.js"])
def test_a_file_that_the_client_has_is_not_sent_again(client, path):
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "cache-control" in again.headers
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_the_page_names_static_files_by_that_address(client):
    html = client.get("/").text
    assert all(static_url(name) in html for name in ("page.js", "page.css"))
