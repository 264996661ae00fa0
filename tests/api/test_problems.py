"""Whatever is wrong with a request is said as a problem: which field, what of it, and nothing of what was sent."""

import json
from http import HTTPStatus

import pytest

from hashing import HashingEncoder
from retriever import Searcher

from .conftest import running, wait_for

JSON = {"Content-Type": "application/json"}
MOST = 1024  # bytes of a reply that says what is wrong
CANARY = "kanarienvogel"  # sent in what is refused, and never to come back


def asked(**fields) -> bytes:
    return json.dumps({"question": "blue", **fields}, ensure_ascii=False).encode()


def post(client, body: bytes, headers=JSON):
    return client.post("/ask", content=body, headers=headers)


def assert_problem(reply, status: int) -> dict:
    """Hold a reply against RFC 9457 and our own rules, and return it."""
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert len(reply.content) < MOST
    assert CANARY not in reply.text
    found = reply.json()
    assert set(found) == {"type", "title", "status", "detail", "errors"}
    assert (found["type"], found["title"], found["status"]) == ("about:blank", HTTPStatus(status).phrase, status)
    assert found["detail"]
    return found


def fields_of(problem: dict) -> list[str]:
    return [error["field"] for error in problem["errors"]]


# --- a field at fault ---------------------------------------------------------------------------------------------

FIELDS = {
    "empty": (b'{"question": ""}', "question"),
    "blank": (b'{"question": " \\t\\n "}', "question"),
    "blank in unicode": ('{"question": "\u3000\u2003"}'.encode(), "question"),
    "no question": (b'{"k": 3}', "question"),
    "null question": (b'{"question": null}', "question"),
    "number for a question": (b'{"question": 5}', "question"),
    "1,001 characters": (asked(question="x" * 1001), "question"),
    "1,001 characters with a canary": (asked(question=CANARY + "x" * 1001), "question"),
    "lone surrogate": (b'{"question": "kanarienvogel \\ud800"}', "question"),
    "lone low surrogate": (b'{"question": "\\udc00 kanarienvogel"}', "question"),
    "k 0": (asked(k=0), "k"),
    "k 51": (asked(k=51), "k"),
    "negative k": (asked(k=-1), "k"),
    "k a text": (asked(k="5"), "k"),
    "k a canary": (asked(k=CANARY), "k"),
    "k a fraction": (asked(k=2.5), "k"),
    "k true": (asked(k=True), "k"),
    "k a list": (asked(k=[CANARY]), "k"),
    "k 1e400": (b'{"question": "blue", "k": 1e400}', "k"),
    "k NaN": (b'{"question": "blue", "k": NaN}', "k"),
    "k -Infinity": (b'{"question": "blue", "k": -Infinity}', "k"),
    "k of 400 digits": (b'{"question": "blue", "k": ' + b"9" * 400 + b"}", "k"),
    "explain a text": (asked(explain=CANARY), "explain"),
    "min_confidence above 1": (asked(min_confidence=1.01), "min_confidence"),
    "min_confidence below 0": (asked(min_confidence=-0.01), "min_confidence"),
    "min_confidence NaN": (b'{"question": "blue", "min_confidence": NaN}', "min_confidence"),
    "min_confidence 1e400": (b'{"question": "blue", "min_confidence": 1e400}', "min_confidence"),
    "unknown field": (asked(colour=CANARY), "colour"),
    "q in a body": (b'{"q": "kanarienvogel"}', "question"),
    "unknown filter": (asked(filters={"colour": CANARY}), "filters.colour"),
    "tags not a list": (asked(filters={"tags": CANARY}), "filters.tags"),
    "tag not a text": (asked(filters={"tags": ["a", {CANARY: 1}]}), "filters.tags.1"),
    "tag a lone surrogate": (b'{"question": "blue", "filters": {"tags": ["\\udfff"]}}', "filters.tags.0"),
    "tag too long": (asked(filters={"tags": [CANARY * 100]}), "filters.tags.0"),
    "too many tags": (asked(filters={"tags": [CANARY] * 101}), "filters.tags"),
    "source not a list": (asked(filters={"source": CANARY}), "filters.source"),
    "lang not a text": (asked(filters={"lang": [CANARY]}), "filters.lang"),
    "kind of no kind": (asked(filters={"kind": CANARY}), "filters.kind"),
    "filters a list": (asked(filters=[CANARY]), "filters"),
    "a list": (b'["kanarienvogel"]', "body"),
    "a text": (b'"kanarienvogel"', "body"),
    "null": (b"null", "body"),
    "no body": (b"", "body"),
    "lone surrogate for a name": (b'{"question": "blue", "\\ud800": 1}', "body"),
}


@pytest.mark.parametrize(("body", "field"), FIELDS.values(), ids=FIELDS)
def test_a_field_at_fault_is_named(client, body, field):
    problem = assert_problem(post(client, body), 422)
    assert field in fields_of(problem)
    assert problem["detail"].startswith(fields_of(problem)[0])


def test_a_question_too_long_is_told_in_characters(client):
    (error,) = assert_problem(post(client, asked(question="x" * 1001)), 422)["errors"]
    assert "1000 characters" in error["detail"].replace(",", "")


def test_every_field_at_fault_is_named(client):
    problem = assert_problem(post(client, asked(question="", k=0, explain="no")), 422)
    assert set(fields_of(problem)) == {"question", "k", "explain"}


LONG = {"ascii": "colour" * 20, "two bytes": "é" * 200, "four bytes": "😀" * 200}
LONG |= {"control": "\x00\x1b" * 50, "markup": '"<b>&' * 100}


@pytest.mark.parametrize("name", LONG.values(), ids=LONG)
@pytest.mark.parametrize("count", [1, 40])
def test_names_that_are_unknown_do_not_make_a_reply_grow(client, name, count):
    assert_problem(post(client, asked(**{f"{number}{name}": 1 for number in range(count)})), 422)


def test_a_name_that_is_unknown_comes_back_without_control_characters(client):
    problem = assert_problem(post(client, asked(**{"a\r\n\x1b[2J": 1})), 422)
    assert fields_of(problem) == ["a???[2J"]


QUERIES = {
    "no question": ("k=3", "q"),
    "empty": ("q=", "q"),
    "blank": ("q=%20", "q"),
    "1,001 characters": (f"q={CANARY}{'x' * 1001}", "q"),
    "k 0": ("q=blue&k=0", "k"),
    "k 51": ("q=blue&k=51", "k"),
    "k a word": ("q=blue&k=kanarienvogel", "k"),
    "k 1e400": ("q=blue&k=1e400", "k"),
    "k of 5,000 digits": ("q=blue&k=" + "9" * 5000, "k"),
    "explain a word": ("q=blue&explain=kanarienvogel", "explain"),
    "min_confidence nan": ("q=blue&min_confidence=nan", "min_confidence"),
    "min_confidence inf": ("q=blue&min_confidence=inf", "min_confidence"),
    "unknown parameter": ("q=blue&colour=kanarienvogel", "colour"),
    "question for q": ("question=kanarienvogel", "question"),
    "kind of no kind": ("q=blue&kind=kanarienvogel", "kind"),
}


@pytest.mark.parametrize(("query", "field"), QUERIES.values(), ids=QUERIES)
def test_a_parameter_at_fault_is_named(client, query, field):
    assert field in fields_of(assert_problem(client.get(f"/ask?{query}"), 422))


@pytest.mark.parametrize("q", ["%ff%fe", "%ed%a0%80", "%00", "%", "%zz", "a%0d%0aSet-Cookie:x"])
def test_an_address_that_is_no_text_is_a_question_like_any_other(client, q):
    reply = client.get(f"/ask?q={q}")
    assert reply.status_code == 200
    assert "set-cookie" not in reply.headers


# --- a body at fault ----------------------------------------------------------------------------------------------

BODIES = {
    "malformed": b'{"question": "kanarienvogel"',
    "single quotes": b"{'question': 'kanarienvogel'}",
    "two documents": b'{"question": "blue"} {"question": "kanarienvogel"}',
    "bad UTF-8": b'{"question": "kanarienvogel \xff\xfe"}',
    "control characters": b'{"question": "kanarienvogel\x01"}',
    "half an escape": b'{"question": "\\ud8',
    "number of 5,000 digits": b'{"question": "blue", "k": ' + b"9" * 5000 + b"}",
    "NUL": b"\x00",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_not_json_is_400(client, body):
    assert_problem(post(client, body), 400)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_body_nested_too_deep_is_400(small_index, opening):
    with running(lambda: Searcher.open(small_index, HashingEncoder()), max_body=1 << 20) as client:
        assert_problem(post(client, opening * 100_000), 400)


def test_a_body_nested_deep_in_an_unknown_place_is_named_by_it(client):
    assert_problem(post(client, b'{"question": "blue", "x": ' + b"[" * 500 + b"]" * 500 + b"}"), 422)


KINDS = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "json",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_does_not_say_it_is_json_is_415(client, kind):
    assert_problem(post(client, asked(), {"Content-Type": kind}), 415)


def test_a_body_that_says_nothing_of_its_type_is_415(client):
    assert_problem(post(client, asked(), {}), 415)


def test_a_body_that_is_too_large_is_413(client):
    assert_problem(post(client, asked(question=CANARY * 10_000)), 413)


def test_a_body_that_is_too_large_and_comes_in_chunks_is_413(client):
    sent = []

    def chunks():
        for _ in range(1000):
            sent.append(1000)
            yield CANARY.encode() * 80

    reply = client.post("/ask", content=chunks(), headers=JSON)
    assert "content-length" not in reply.request.headers
    assert_problem(reply, 413)


def test_a_body_in_chunks_is_as_good_as_one_in_a_piece(client):
    reply = client.post("/ask", content=iter([b'{"quest', b'ion": "bl', b'ue"}']), headers=JSON)
    assert (reply.status_code, reply.json()["question"]) == (200, "blue")


def test_a_body_of_the_most_bytes_is_taken_and_one_more_is_not(client):
    body = asked()
    assert post(client, body + b" " * (65536 - len(body))).status_code == 200
    assert_problem(post(client, body + b" " * (65537 - len(body))), 413)


@pytest.mark.parametrize("length", ["9" * 30, "-5", "+5", "5_0", "²"])
def test_a_length_that_is_none_is_413(client, length):
    assert_problem(post(client, asked(), JSON | {"Content-Length": length.encode()}), 413)


# --- an address at fault ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/kanarienvogel", "/ask/kanarienvogel", "/static/kanarienvogel", "/redoc"])
def test_an_address_that_leads_nowhere_is_404(client, path):
    assert_problem(client.get(path), 404)


OUTSIDE = ["/static/..%2f..%2fpage.py", "/static/%2e%2e/page.py", "/static/..%5cpage.py", "/static//etc/passwd"]
OUTSIDE += ["/static/%00", "/docs/static/../../app.py", "/docs/static/..%2f__init__.py"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_address_leads_out_of_the_static_files(client, path):
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/ask", "/", "/healthz", "/info", "/docs", "/static/page.js"])
def test_a_method_that_does_not_belong_is_405(client, method, path):
    assert_problem(client.request(method, path), 405)


def test_a_wrong_method_is_told_the_right_ones(client):
    allowed = client.delete("/ask").headers["allow"].replace(" ", "").split(",")
    assert {"GET", "POST"} <= set(allowed)


# --- we are at fault ----------------------------------------------------------------------------------------------


class BreakingEncoder(HashingEncoder):
    """Fails on one word, as a library might."""

    def encode(self, texts, role):
        if CANARY in texts[0]:
            raise ZeroDivisionError(texts[0])
        return super().encode(texts, role)


@pytest.fixture
def broken(small_index):
    with running(lambda: Searcher.open(small_index, BreakingEncoder())) as client:
        wait_for(lambda: client.get("/readyz").status_code == 200)
        yield client


def test_a_fault_of_ours_is_a_problem_that_tells_nothing_of_the_inside(broken):
    problem = assert_problem(broken.get("/ask", params={"q": CANARY}), 500)
    assert "ZeroDivision" not in problem["detail"]


def test_a_fault_of_ours_carries_the_safe_headers_too(broken):
    assert broken.get("/ask", params={"q": CANARY}).headers["x-content-type-options"] == "nosniff"


def test_after_a_fault_of_ours_the_next_question_is_answered(broken):
    broken.get("/ask", params={"q": CANARY})
    assert broken.get("/ask?q=blue").status_code == 200


def test_a_fault_of_ours_is_logged_without_the_question(broken, caplog):
    broken.post("/ask", json={"question": CANARY})
    (record,) = [record for record in caplog.records if record.name.startswith("retriever")]
    assert record.getMessage() == "POST /ask failed"
