"""POST /feedback: kept, or refused with its reason; a form leads back to where it came from and nowhere else."""

import pytest

from hashing import HashingEncoder
from retriever import Searcher
from retriever.feedback import Feedback

from .conftest import running, wait_for

SAID = {"question": "blue", "entry_id": "tie-a", "helpful": True}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def feedback(tmp_path):
    return Feedback(tmp_path / "feedback.sqlite", 30)


@pytest.fixture
def client(small_index, feedback):
    with running(lambda: Searcher.open(small_index, HashingEncoder()), feedback=feedback, log_questions=True) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def opinions(feedback) -> list[tuple[str, int, int]]:
    return [(one.entry_id, one.helpful, one.unhelpful) for one in feedback.tended(10).opinions]


# --- from a program -----------------------------------------------------------------------------------------------


def test_what_is_said_is_kept(client, feedback):
    reply = client.post("/feedback", json=SAID)
    assert (reply.status_code, reply.content) == (204, b"")
    assert client.post("/feedback", json=SAID | {"helpful": False, "snapshot": "x"}).status_code == 204
    assert opinions(feedback) == [("tie-a", 1, 1)]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"entry_id": "gone"}, "entry_id"),
        ({"entry_id": ""}, "entry_id"),
        ({"entry_id": 1}, "entry_id"),
        ({"question": " "}, "question"),
        ({"question": "x" * 1001}, "question"),
        ({"helpful": "yes"}, "helpful"),
        ({"helpful": None}, "helpful"),
        ({"snapshot": "x" * 101}, "snapshot"),
        ({"stars": 5}, "stars"),
    ],
)
def test_what_cannot_be_taken_is_422_and_its_field_is_named(client, feedback, said, field):
    reply = client.post("/feedback", json=SAID | said)
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]
    assert opinions(feedback) == []


def test_a_body_that_is_no_json_is_400(client):
    assert client.post("/feedback", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400


def test_where_nothing_is_kept_the_route_says_so(small_index):
    with running(lambda: Searcher.open(small_index, HashingEncoder())) as client:
        reply = client.post("/feedback", json=SAID)
        assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


def test_a_file_that_takes_nothing_is_503_and_questions_are_answered_all_the_same(client, tmp_path):
    (tmp_path / "feedback.sqlite").write_text("no database" * 1000)
    reply = client.post("/feedback", json=SAID)
    assert reply.status_code == 503
    assert int(reply.headers["retry-after"]) > 0
    assert str(tmp_path) not in reply.text
    assert client.get("/ask", params={"q": "blue"}).status_code == 200


# --- from the page ------------------------------------------------------------------------------------------------

POSTED = "question=blue&entry_id=tie-a&helpful=true&snapshot="


def post(client, body=POSTED, **headers):
    return client.post(
        "/feedback", content=body, headers=FORM | {name.replace("_", "-"): v for name, v in headers.items()}
    )


def test_a_form_leads_back_to_its_page(client, feedback):
    reply = post(client, referer="http://testserver/?q=blue+sky&k=3")
    assert (reply.status_code, reply.headers["location"]) == (303, "/?q=blue+sky&k=3#thanks")
    assert opinions(feedback) == [("tie-a", 1, 0)]


def test_a_form_that_says_nothing_of_its_page_leads_to_the_question(client):
    body = "question=b+%26+c&entry_id=tie-a&helpful=false"
    assert post(client, body).headers["location"] == "/?q=b%20%26%20c#thanks"


@pytest.mark.parametrize(
    "referer",
    [
        "https://elsewhere.example/",
        "http://testserver.elsewhere.example/a",
        "http://testserver//elsewhere.example/a",
        "http://testserver/\\elsewhere.example",
        "//elsewhere.example",
        "javascript:alert(1)",
        "http://[",
    ],
)
def test_a_form_leads_to_no_other_site(client, referer):
    location = post(client, referer=referer).headers["location"]
    assert location.startswith("/")
    assert location[1] not in "/\\"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_a_form_of_another_site_is_403(client, feedback, headers):
    assert post(client, **headers).status_code == 403
    assert opinions(feedback) == []


def test_a_form_of_our_own_page_is_taken(client):
    assert post(client, sec_fetch_site="same-origin", origin="http://testserver").status_code == 303
    assert post(client, origin="http://testserver").status_code == 303


@pytest.mark.parametrize("body", ["question=blue", "entry_id=%ff", "&".join(["a=1"] * 11), POSTED + "&stars=5"])
def test_a_form_that_cannot_be_taken_is_422(client, body):
    assert post(client, body).status_code == 422


def test_questions_take_no_form(client):
    assert client.post("/ask", content="question=blue", headers=FORM).status_code == 415


# --- the log of questions -----------------------------------------------------------------------------------------


def test_what_is_asked_at_any_door_is_kept_as_it_was_meant(small_index, feedback):
    with running(lambda: Searcher.open(small_index, HashingEncoder()), feedback=feedback, log_questions=True) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        client.post("/ask", json={"question": "blue green"})
        client.get("/ask", params={"q": "blue farbe"})
        for typed in ("pass", "password", "password rese", "password reset"):
            client.get("/results", params={"q": typed})
        client.get("/", params={"q": "who painted the chapel"})
        client.get("/")
    kept = {one.question for one in feedback.recent(10)}
    assert kept == {"blue green", "blue farbe", "password reset", "who painted the chapel"}


def test_no_question_is_kept_unless_its_owner_wants_it(small_index, feedback):
    with running(lambda: Searcher.open(small_index, HashingEncoder()), feedback=feedback) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        client.post("/ask", json={"question": "blue green"})
    assert feedback.tended(10).asked == 0
