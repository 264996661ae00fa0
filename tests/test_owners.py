"""What an owner says of an entry: until when it holds, which questions it must win, and what it can be filtered on."""

import json
from datetime import date

import pytest

from hashing import HashingEncoder
from retriever.ranking import PIN, WEIGHTS, pin_key
from retriever.readers import read_corpus
from retriever.search import Searcher
from retriever.types import Filters

ENTRIES = [
    {"_id": "old", "question": "How long does shipping take?", "answer": "A week.", "valid_until": "2026-03-31"},
    {"_id": "new", "question": "How long is shipping?", "answer": "Two days.", "valid_from": "2026-04-01"},
    {
        "_id": "cards",
        "question": "Which cards?",
        "answer": "All.",
        "pin_for": ["Can I pay?"],
        "team": "money",
        "rank": 3,
    },
    {"_id": "pay", "question": "Can I pay?", "answer": "You must.", "team": ["money", "law"], "owner": "Ann"},
    {"_id": "open", "question": "When do you open?", "answer": "At nine.", "reviewed": "2026-01-02", "vip": True},
]
MARCH, APRIL = date(2026, 3, 31), date(2026, 4, 1)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    from retriever.build import build

    folder = tmp_path_factory.mktemp("owners")
    (folder / "faq.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in ENTRIES))
    build([folder], folder / "index", HashingEncoder(), lang="en", keep=1, progress=lambda *_: None)
    return folder / "index"


@pytest.fixture
def ask(index):
    opened = []

    def _ask(question, filters=None, *, today=MARCH, **options):
        opened.append(Searcher.open(index, HashingEncoder(), today=lambda: today, **options))
        return opened[-1].ask(question, filters=filters, explain=True)

    yield _ask
    for searcher in opened:
        searcher.close()


def ids(answer) -> list[str]:
    return [hit.entry_id for hit in answer.hits]


@pytest.mark.parametrize(("today", "there", "gone"), [(MARCH, "old", "new"), (APRIL, "new", "old")])
def test_an_index_that_is_not_rebuilt_withholds_by_the_day_of_the_question(ask, today, there, gone):
    found = ids(ask("how long does shipping take", today=today))
    assert there in found
    assert gone not in found


def test_entries_that_do_not_hold_are_labelled_where_the_owner_says_so(ask):
    hits = {hit.entry_id: hit for hit in ask("how long does shipping take", today=APRIL, expired="label").hits}
    assert {name: hit.validity for name, hit in hits.items() if hit.validity != "valid"} == {"old": "expired"}
    assert hits["old"].valid_until == MARCH


def test_an_entry_that_holds_later_is_labelled_upcoming(ask):
    hits = ask("how long is shipping", today=MARCH, expired="label").hits
    assert {hit.validity for hit in hits if hit.entry_id == "new"} == {"upcoming"}


def test_a_withheld_entry_is_no_example(index):
    searcher = Searcher.open(index, HashingEncoder(), today=lambda: APRIL)
    assert "How long does shipping take?" not in searcher.sample(10)
    searcher.close()


@pytest.mark.parametrize("question", ["Can I pay?", "  can i PAY ", "Can I pay", "Can I pay?!"])
def test_a_pinned_question_puts_its_entry_first(ask, question):
    answer = ask(question)
    assert ids(answer)[:2] == ["cards", "pay"]
    assert (answer.answered, answer.confidence) == (True, 1.0)


def test_the_explanation_names_the_pin_and_its_parts_add_up(ask):
    for hit in ask("Can I pay?").hits:
        assert hit.explain.parts["pinned"] == (PIN if hit.entry_id == "cards" else 0)
        assert hit.explain.total == pytest.approx(sum(hit.explain.parts.values()))


def test_a_question_that_is_not_pinned_has_no_such_part(ask):
    assert "pinned" not in ask("may I pay").hits[0].explain.parts


def test_a_pin_outweighs_all_other_evidence():
    assert sum(WEIGHTS.values()) < PIN


def test_a_pin_does_not_reach_past_a_filter(ask):
    assert "cards" not in ids(ask("Can I pay?", Filters(metadata={"team": ("law",)})))


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"team": ["money"]}, {"cards", "pay"}),
        ({"team": ["law", "none"]}, {"pay"}),
        ({"rank": ["3"]}, {"cards"}),
        ({"vip": ["true"]}, {"open"}),
        ({"team": ["money"], "rank": ["3"]}, {"cards"}),
        ({"nonesuch": ["x"]}, set()),
    ],
)
def test_metadata_filters(ask, metadata, expected):
    assert set(ids(ask("can I pay by card", Filters(metadata=metadata)))) == expected


def test_owner_and_review_are_told(ask):
    hits = {hit.entry_id: hit for hit in ask("when do you open and can I pay").hits}
    assert hits["pay"].owner == "Ann"
    assert hits["open"].reviewed == date(2026, 1, 2)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("valid_until", "soon", "valid_until: `soon` is not a date"),
        ("reviewed", "31.3.2026", "reviewed: `31.3.2026` is not a date"),
        ("valid_from", 2026, "valid_from: should be a text"),
        ("pin_for", {"a": 1}, "pin_for: should be a text or a list"),
    ],
)
def test_a_field_that_cannot_be_taken_is_refused_by_name(tmp_path, field, value, words):
    (tmp_path / "a.jsonl").write_text(json.dumps({"question": "A?", "answer": "a", field: value}))
    assert words in read_corpus([tmp_path]).ledger[0].refused[0].reason


def test_dates_the_wrong_way_round_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer,valid_from,valid_until\nA?,a,2026-02-01,2026-01-01 00:00:00\n")
    assert "before valid_from" in read_corpus([tmp_path]).ledger[0].refused[0].reason


def test_a_table_parts_pinned_questions_like_alternates(tmp_path):
    (tmp_path / "a.csv").write_text('question,answer,pin_for,alternates\nA?,a,B?|C?,"[""D|E?""]"\n')
    entry = read_corpus([tmp_path]).entries[0]
    assert (entry.pin_for, entry.alternates) == (("B?", "C?"), ("D|E?",))


def test_the_end_mark_and_case_of_a_pin_make_no_difference():
    assert pin_key("  Can I\tPAY ?! ") == pin_key("can i pay")
