"""`/ask`: the answer's shape, its order, its filters, and that every door gives the same one."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from retriever.types import Answer, Filters

# The shape that programs are written against: a key may be added, none renamed, retyped or dropped.
NUMBER = (int, float)
ANSWER = {"question": str, "answered": bool, "confidence": float, "level": str, "message": (str, type(None))}
ANSWER |= {"missing": list, "corrected": (str, type(None)), "snapshot": str, "took_ms": dict, "hits": list}
HIT = {"rank": int, "entry_id": str, "score": float, "question": str, "answer": dict, "passage": dict}
HIT |= {"highlight": dict, "source": dict, "link": (str, type(None)), "tags": list, "lang": str, "kind": str}
HIT |= {"metadata": dict, "explain": (dict, type(None)), "owner": (str, type(None)), "reviewed": (str, type(None))}
HIT |= {"valid_from": (str, type(None)), "valid_until": (str, type(None)), "validity": str}
SOURCE = {"file": str, "line": int, "url": (str, type(None)), "anchor": (str, type(None)), "title": (str, type(None))}
PASSAGE = {"kind": str, "text": str, "paragraph": (int, type(None))}


def assert_shape(value: dict, shape: dict) -> None:
    assert list(value) == list(shape)
    for key, kind in shape.items():
        assert isinstance(value[key], kind), key


def ids(answer: dict) -> list[str]:
    return [hit["entry_id"] for hit in answer["hits"]]


def timeless(answer: dict) -> dict:
    return {key: value for key, value in answer.items() if key != "took_ms"}


# --- shape --------------------------------------------------------------------------------------------------------


def test_an_answer_has_these_keys_of_these_types_in_this_order(ask):
    answer = ask("reset password")
    assert_shape(answer, ANSWER)
    assert_shape(answer["took_ms"], {"encode": NUMBER, "search": NUMBER, "total": NUMBER})
    for hit in answer["hits"]:
        assert_shape(hit, HIT)
        assert_shape(hit["answer"], {"text": str, "html": str})
        assert_shape(hit["passage"], PASSAGE)
        assert_shape(hit["highlight"], {"text": str, "start": int, "end": int})
        assert_shape(hit["source"], SOURCE)


def test_an_answer_echoes_the_question_asked_as_it_was_typed(ask):
    assert ask("  How do I – reset? ")["question"] == "  How do I – reset? "


def test_a_hit_says_which_entry_and_where_it_was_written(ask):
    hit = ask("how do I reset my password")["hits"][0]
    assert hit["entry_id"] == "reset"
    assert hit["tags"] == ["account", "security"]
    assert (hit["source"]["file"], hit["source"]["line"]) == ("account.jsonl", 1)
    assert hit["source"]["url"] == "https://example.org/account#reset"


def test_the_score_is_the_cosine_of_the_question_and_the_passage_found(ask):
    hit = ask("green")["hits"][0]
    assert hit["score"] == pytest.approx(1 / math.sqrt(2), abs=1e-6)


def test_an_answer_found_by_a_paragraph_says_which_and_marks_it(ask):
    hit = ask("press the reset button")["hits"][0]
    assert hit["passage"] == {"kind": "answer", "text": "press the reset button", "paragraph": 2}
    assert "<p><mark>press the</mark> <b><mark>reset</mark></b> <mark>button</mark></p>" in hit["answer"]["html"]


def test_an_answer_found_by_another_wording_says_so_and_marks_its_lead(ask):
    hit = ask("forgot passphrase")["hits"][0]
    assert hit["passage"] == {"kind": "alternate", "text": "forgot passphrase", "paragraph": None}
    assert hit["highlight"] == {"text": "open the settings", "start": 0, "end": 17}
    assert "<p><mark>open the settings</mark></p>" in hit["answer"]["html"]


def test_the_highlight_lies_in_the_answers_text_where_it_says(ask):
    for hit in ask("press the reset button")["hits"]:
        highlight = hit["highlight"]
        assert hit["answer"]["text"][highlight["start"] : highlight["end"]] == highlight["text"]


def test_a_link_opens_the_source_at_the_sentence(ask):
    link = ask("press the reset button")["hits"][0]["link"]
    assert link == "https://example.org/account#reset:~:text=press%20the%20reset%20button"


def test_an_entry_that_is_nowhere_on_the_web_has_no_link(ask):
    assert ask("blue green")["hits"][0]["link"] is None


def test_paragraphs_of_an_answer_are_parted_by_a_blank_line(ask):
    assert ask("forgot passphrase")["hits"][0]["answer"]["text"] == "open the settings\n\npress the reset button"


def test_the_parts_of_the_time_are_no_more_than_the_whole(ask):
    took = ask("green")["took_ms"]
    assert 0 <= took["encode"] + took["search"] <= took["total"] + 0.01


# --- order --------------------------------------------------------------------------------------------------------


def test_hits_come_best_first_and_are_ranked_from_one(ask):
    hits = ask("red blue farbe", explain=True)["hits"]
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    totals = [hit["explain"]["total"] for hit in hits]
    assert totals == sorted(totals, reverse=True)


def test_equal_scores_are_ordered_by_entry_id(ask):
    assert ids(ask("green"))[:2] == ["tie-a", "tie-b"]  # "blue green" has the very pair of one of them


def test_an_entry_is_one_hit_however_many_of_its_passages_match(ask):
    found = ids(ask("how do I reset my password press the reset button forgot passphrase"))
    assert len(found) == len(set(found))


def test_k_is_how_many_hits_come(ask):
    assert [len(ask("blue", k=k)["hits"]) for k in (1, 2, 4)] == [1, 2, 4]


def test_fewer_hits_come_where_fewer_entries_exist(ask):
    assert len(ask("blue", k=50)["hits"]) == 6


def test_without_k_the_servers_own_holds(ask):
    assert len(ask("blue")["hits"]) == len(ask("blue", k=None)["hits"]) == 5


# --- every door ---------------------------------------------------------------------------------------------------


def test_get_gives_the_answer_that_post_gives(client, ask):
    by_address = client.get("/ask", params={"q": "blue", "k": 3}).json()
    assert timeless(by_address) == timeless(ask("blue", k=3))


def test_the_headers_of_get_are_those_of_post(client):
    got = client.get("/ask", params={"q": "blue"}).headers
    posted = client.post("/ask", json={"question": "blue"}).headers
    assert list(posted) == list(got)
    assert posted["content-type"] == got["content-type"] == "application/json"


def test_filters_of_one_question_are_none_of_the_next(ask):
    everywhere = ask("blue green")
    assert ask("blue green", filters={"tags": ["account"], "metadata": {"category": ["Help"]}}) != everywhere
    assert ask("blue green")["hits"] == everywhere["hits"]


def test_get_takes_filters_and_all_else_that_post_takes(client, ask):
    query = "q=blue&k=2&tags=colour&tags=account&source=account.jsonl&lang=en&kind=faq&explain=true&min_confidence=0.9"
    filters = {"tags": ["colour", "account"], "source": ["account.jsonl"], "lang": "en", "kind": "faq"}
    posted = ask("blue", k=2, filters=filters, explain=True, min_confidence=0.9)
    assert timeless(client.get(f"/ask?{query}").json()) == timeless(posted)


def test_metadata_filters_by_key_and_value(ask):
    assert ask("blue", filters={"metadata": {"nonesuch": ["x"]}})["hits"] == []


def test_python_gives_the_answer_that_http_gives(searcher, ask):
    answer = msgspec.to_builtins(searcher.ask("reset password", 3, Filters(tags=("account",)), explain=True))
    posted = ask("reset password", k=3, filters={"tags": ["account"]}, explain=True)
    assert timeless(json.loads(json.dumps(answer))) == timeless(posted)


def test_a_reply_reads_back_as_the_noun(client, searcher):
    reply = msgspec.json.decode(client.get("/ask?q=blue").content, type=Answer)
    assert reply.hits == searcher.ask("blue").hits


# --- filters ------------------------------------------------------------------------------------------------------


def test_any_of_several_tags_passes(ask):
    assert set(ids(ask("blue", filters={"tags": ["security", "colour"]}))) == {"reset", "tie-a", "tie-b", "farbe"}


def test_any_of_several_files_passes(ask):
    assert set(ids(ask("blue", filters={"source": ["german.jsonl", "lamp.txt"]}))) >= {"farbe", "rot"}
    assert set(ids(ask("blue", filters={"source": ["german.jsonl"]}))) == {"farbe", "rot"}


def test_filters_hold_together(ask):
    assert ids(ask("blue", filters={"tags": ["colour"], "lang": "de"})) == ["farbe"]


def test_filters_apply_before_the_first_k(ask):
    assert ids(ask("blue green", k=1, filters={"lang": "de"})) == ["farbe"]


def test_page_texts_are_found_only_when_asked_for(ask):
    assert ask("lighthouses", k=50)["hits"][0]["score"] == 0
    page = ask("lighthouses", filters={"kind": "page"})
    assert [(hit["kind"], hit["source"]["file"]) for hit in page["hits"]] == [("page", "lamp.txt")]


def test_a_filter_that_nothing_passes_gives_an_answer_without_hits(ask):
    answer = ask("blue", filters={"tags": ["no such tag"]})
    assert (answer["hits"], answer["answered"], answer["confidence"]) == ([], False, 0.0)


def test_empty_filters_filter_nothing(ask):
    assert timeless(ask("blue", filters={"tags": [], "source": [], "lang": None})) == timeless(ask("blue"))


# --- the decision -------------------------------------------------------------------------------------------------


def test_a_question_that_nothing_answers_is_200_with_a_message_and_the_nearest(ask):
    answer = ask("zebra blue yacht xylophone quartz")
    assert answer["answered"] is False
    assert answer["message"]
    assert ids(answer)[0] in {"tie-a", "tie-b", "farbe"}


def test_an_answered_question_has_no_message(ask):
    answer = ask("blue green")
    assert (answer["answered"], answer["message"]) == (True, None)


def test_the_confidence_of_what_is_there_is_high_and_of_what_is_not_is_near_nothing(ask):
    found, absent = ask("how do I reset my password"), ask("zebra yacht")
    assert (found["confidence"] >= 0.8, found["level"]) == (True, "high")
    assert (0 <= absent["confidence"] < 0.1, absent["level"]) == (True, "none")


@pytest.mark.parametrize(("least", "answered"), [(0, True), (-0.01, True), (0.01, False), (1, False)])
def test_min_confidence_moves_the_decision_and_nothing_else(ask, least, answered):
    usual = ask("green")
    least = least if least in {0, 1} else usual["confidence"] + least
    found = ask("green", min_confidence=least)
    assert found["answered"] is answered
    assert (found["level"] == "none") is not answered
    assert (found["confidence"], found["hits"]) == (usual["confidence"], usual["hits"])


def test_a_word_that_nothing_has_is_told(ask):
    answer = ask("how do I reset my Zanzibar password")
    assert answer["missing"] == ["Zanzibar"]
    assert answer["confidence"] < 0.8


def test_a_misspelt_word_is_told_as_it_was_meant(ask):
    answer = ask("how do I reset my pasword")
    assert (answer["question"], answer["corrected"]) == ("how do I reset my pasword", "how do I reset my password")


def test_explain_says_what_each_kind_of_evidence_added_up_to(ask):
    explain = ask("how do I reset my password", explain=True)["hits"][0]["explain"]
    assert list(explain["parts"]) == ["question", "entry", "best", "words_question", "words", "pairs", "exact"]
    assert sum(explain["parts"].values()) == pytest.approx(explain["total"], abs=1e-6)


def test_without_explain_nothing_is_explained(ask):
    assert all(hit["explain"] is None for hit in ask("blue")["hits"])


# --- text of all kinds, all at once -------------------------------------------------------------------------------


TEXTS = ["x" * 1000, "é" * 1000, "😀" * 1000, "blue\x00green", "\u202eblue", "' OR 1=1 --"]


@pytest.mark.parametrize("question", TEXTS)
def test_any_text_up_to_a_thousand_characters_is_a_question(ask, question):
    assert ask(question)["question"] == question


def test_json_may_escape_what_it_likes(client):
    body = ('{"question": "' + "\\ud83d\\ude00" * 1000 + '"}').encode()
    assert client.post("/ask", content=body, headers={"Content-Type": "application/json"}).status_code == 200


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json"])
def test_json_may_be_called_by_its_other_names(client, kind):
    reply = client.post("/ask", content=b'{"question": "blue"}', headers={"Content-Type": kind})
    assert reply.status_code == 200


def test_sixty_at_once_all_get_their_own_right_answer(client, searcher):
    questions = [f"{word} {number}" for number in range(12) for word in ("blue", "green", "farbe", "password", "lamp")]
    with ThreadPoolExecutor(60) as pool:
        replies = list(pool.map(lambda question: client.get("/ask", params={"q": question}), questions))
    assert {reply.status_code for reply in replies} == {200}
    for question, reply in zip(questions, replies, strict=True):
        found = msgspec.json.decode(reply.content, type=Answer)
        assert (found.question, found.hits) == (question, searcher.ask(question).hits)
