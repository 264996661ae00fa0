"""`/suggest`, `/facets` and `/entries`: what the index holds, without an answer; and filters in addresses."""

import pytest

from retriever.web.page import Choice


def suggested(client, **params) -> list[str]:
    return [found["entry_id"] for found in client.get("/suggest", params=params).json()["suggestions"]]


def test_suggestions_have_these_keys_and_their_parts_are_the_question(client):
    found = client.get("/suggest", params={"q": "how do i rset my pass"}).json()
    assert list(found) == ["query", "suggestions", "corrected", "snapshot"]
    assert (found["query"], found["corrected"]) == ("how do i rset my pass", "how do i reset my pass")
    (first,) = found["suggestions"]
    assert list(first) == ["entry_id", "question", "lang", "parts"]
    assert (first["entry_id"], first["question"], first["lang"]) == ("reset", "how do I reset my password", "en")
    assert "".join(part["text"] for part in first["parts"]) == first["question"]
    assert first["parts"][-2:] == [{"text": "pass", "match": True}, {"text": "word", "match": False}]


def test_another_wording_is_suggested_where_it_matches(client):
    assert client.get("/suggest", params={"q": "forgot"}).json()["suggestions"][0]["question"] == "forgot passphrase"


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "   "}])
def test_a_blank_query_suggests_nothing_and_is_no_error(client, query):
    reply = client.get("/suggest", params=query)
    assert (reply.status_code, reply.json()["suggestions"], reply.json()["corrected"]) == (200, [], None)


def test_suggestions_pass_the_filters(client):
    assert suggested(client, q="blue") == ["farbe", "tie-a", "tie-b", "rot"]
    assert suggested(client, q="blue", category=["Paint", "None"]) == ["tie-a", "tie-b"]
    assert suggested(client, q="blue", tag="colour", k=1) == ["farbe"]
    assert suggested(client, q="blue", tag="account") == []


def test_page_texts_are_not_suggested(client):
    assert suggested(client, q="lighthouses") == []


@pytest.mark.parametrize(
    ("params", "field"), [({"q": "x" * 1001}, "q"), ({"k": 0}, "k"), ({"k": 51}, "k"), ({"tags": "a"}, "tags")]
)
def test_what_cannot_be_suggested_for_is_a_problem_that_names_its_field(client, params, field):
    reply = client.get("/suggest", params=params)
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, field)


def test_facets_say_what_can_be_chosen(client):
    assert client.get("/facets").json() == {
        "categories": [{"value": "Paint", "entries": 2}, {"value": "Help", "entries": 1}],
        "tags": [
            {"value": "colour", "entries": 3},
            {"value": "account", "entries": 1},
            {"value": "security", "entries": 1},
        ],
    }


def test_entries_are_listed_with_how_many_there_are(client):
    listing = client.get("/entries", params={"count": 2, "start": 1}).json()
    assert (listing["total"], listing["start"]) == (6, 1)
    assert [entry["id"] for entry in listing["entries"]] == ["tie-b", "tie-a"]


def test_entries_of_a_category_and_a_tag_are_listed(client):
    found = client.get("/entries", params={"metadata": "category:Paint", "tags": "colour"}).json()
    assert [entry["id"] for entry in found["entries"]] == ["tie-b", "tie-a"]


def test_an_entry_is_given_with_what_is_related(client):
    found = client.get("/entries/tie-a").json()
    assert list(found) == ["entry", "related", "snapshot"]
    assert found["entry"]["question"] == "blue green"
    assert found["related"][0] == {"entry_id": "tie-b", "question": "green blue", "lang": "en"}


def test_an_entry_that_there_is_not_is_a_problem(client):
    reply = client.get("/entries/no/such")
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("pair", ["category", ":Paint", ""])
def test_metadata_in_an_address_that_is_no_pair_is_a_problem_that_names_it(client, pair):
    reply = client.get("/ask", params={"q": "blue", "metadata": pair})
    assert reply.status_code == 422
    assert reply.json()["errors"][0]["field"].startswith("metadata")


def test_metadata_in_an_address_filters_as_in_a_body(client):
    by_address = client.get("/ask", params={"q": "blue", "metadata": ["category:Help", "category:None"]}).json()
    in_a_body = {"question": "blue", "filters": {"metadata": {"category": ["Help", "None"]}}}
    by_body = client.post("/ask", json=in_a_body).json()
    assert [hit["entry_id"] for hit in by_address["hits"]] == ["reset"]
    assert by_address["hits"] == by_body["hits"]


def test_a_value_of_metadata_may_have_a_colon(client):
    assert client.get("/ask", params={"q": "blue", "metadata": "category:Help: more"}).json()["hits"] == []


@pytest.mark.parametrize("correct", [True, False])
def test_a_question_is_put_right_unless_that_is_declined(client, correct):
    asked = client.post("/ask", json={"question": "reset my passwrd", "correct": correct}).json()
    by_address = client.get("/ask", params={"q": "reset my passwrd", "correct": correct}).json()
    assert asked["corrected"] == by_address["corrected"] == ("reset my password" if correct else None)


# --- the page's addresses -----------------------------------------------------------------------------------------


def shown(client, path, **params) -> str:
    reply = client.get(path, params=params)
    assert reply.status_code == 200
    return reply.text


@pytest.mark.parametrize("path", ["/", "/results"])
def test_the_page_finds_only_what_has_the_tag_and_the_category(client, path):
    assert 'data-entry="tie-a"' in shown(client, path, q="blue", tag="colour", category=["Paint", "Help"])
    assert 'data-entry="reset"' not in shown(client, path, q="blue", tag="colour", category=["Paint", "Help"])
    assert 'data-entry="tie-a"' not in shown(client, path, q="blue", category="Help")


@pytest.mark.parametrize("path", ["/", "/results"])
def test_the_page_puts_nothing_right_where_the_address_says_exact(client, path):
    assert "reset my password" in shown(client, path, q="reset my passwrd zzz")
    assert "reset my password" not in shown(client, path, q="reset my passwrd zzz", exact=1, category="Paint")


def test_nothing_is_chosen_unless_the_address_says_so():
    assert Choice() == Choice((), (), exact=False)
