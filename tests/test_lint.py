"""What lint finds and what it leaves alone, with the hashing encoder: cosine is the share of words in common."""

import json
from datetime import date

import pytest

from hashing import HashingEncoder
from retriever.errors import IndexStale
from retriever.lint import Place, check_fresh, lint
from retriever.lint.claims import conflict
from retriever.readers import read_corpus
from retriever.snapshot import open_snapshot

TODAY = date(2026, 6, 1)
BESIDE = [
    {"question": "How long does shipping take?", "answer": "Parcels arrive after two days."},
    {"question": "Which cards do you accept?", "answer": "All of the usual ones are fine."},
]


@pytest.fixture
def linted(run_build, corpus, index):
    """Build these entries beside two sound ones, and return what lint finds, with the encoder that it was given."""

    def run(*entries, files=(), review_days=365):
        for path in corpus.iterdir():
            path.unlink()
        (corpus / "faq.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in [*BESIDE, *entries]))
        for name, text in files:
            (corpus / name).write_text(text)
        run_build()
        encoder = HashingEncoder()
        ledger = read_corpus([corpus]).ledger
        snapshot = open_snapshot(index)
        found = lint(
            snapshot, encoder, today=TODAY, review_days=review_days, progress=lambda *_: None, ledger=ledger
        ).findings
        snapshot.close()
        return found, encoder

    return run


@pytest.fixture
def of_kind(linted):
    """Return the findings of one kind, as (kind, line, message) once the rest of `linted` is passed on."""

    def run(kind, *entries, **more):
        return [finding for finding in linted(*entries, **more)[0] if finding.kind == kind]

    return run


def pair(one, other, answer="You find that under the account page.", second="It is on the page of your account."):
    return {"question": one, "answer": answer}, {"question": other, "answer": second}


# --- entries that ask the same ------------------------------------------------------------------------------------


def test_a_sound_corpus_has_no_findings(linted):
    assert linted()[0] == ()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I return a parcel?", "How do I return a parcel"),
        ("How can I return a parcel?", "How do I return a parcel?"),
        ("Do you serialise data objects safely today?", "Do you serialize data objects safely today?"),
    ],
)
def test_questions_with_the_same_words_are_duplicates(of_kind, one, other):
    # Each answer is its own, so that the reader merges nothing.
    (found,) = of_kind("duplicate", *pair(one, other))
    assert (found.line, found.other.line, found.other.file) == (3, 4, "faq.jsonl")
    assert found.similarity >= 0.79


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the homework of week 3 about?", "What is the homework of week 4 about?"),
        ("How do I log in to my account page?", "How do I log out to my account page?"),
        ("How do I return a parcel by post?", "When do I return a parcel by post?"),
        ("May I return a parcel without receipt?", "May I return a parcel with receipt?"),
        ("May dogs stay at the hotel by the sea?", "May cats stay at the hotel by the sea?"),
        ("Are you open on Saturday at the beach?", "Are you open on Sunday at the beach?"),
        ("How do I mend error E-1042 at the till?", "How do I mend error E-1043 at the till?"),
        ("Is the deposit paid back to my card?", "Is the deposit not paid back to my card?"),
    ],
)
def test_one_word_that_matters_makes_another_question(linted, one, other):
    assert {finding.kind for finding in linted(*pair(one, other))[0]} & {"duplicate", "conflict"} == set()


def test_an_alternate_that_another_entry_asks_is_a_duplicate(of_kind):
    one, other = pair("Where is my invoice kept for later?", "May I see what I paid in the past?")
    (found,) = of_kind("duplicate", one, other | {"alternates": ["Where is my invoice kept for later"]})
    assert "Where is my invoice kept for later" in found.message


def test_the_same_question_in_two_languages_is_no_duplicate(of_kind):
    one, other = pair("How do I return a parcel?", "How can I return a parcel?")
    assert of_kind("duplicate", one, other | {"lang": "de"}) == []


def test_metadata_that_tell_two_entries_apart_are_named(of_kind):
    one, other = pair("How do I return a parcel?", "How can I return a parcel?")
    (found,) = of_kind("duplicate", one | {"metadata": {"shop": "east"}}, other | {"metadata": {"shop": "west"}})
    assert found.message.endswith("they differ in shop")


# --- answers that contradict --------------------------------------------------------------------------------------


def test_same_questions_with_differing_answers_are_a_conflict_and_no_duplicate(linted):
    entries = pair("How do I return a parcel?", "How can I return a parcel?", "Within 30 days.", "In 14 days, by post.")
    (found,) = [f for f in linted(*entries)[0] if f.kind in {"conflict", "duplicate"}]
    assert (found.kind, found.values) == ("conflict", ("30 days", "14 days"))
    assert found.other == Place(found.other.entry_id, "faq.jsonl", 4)


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ("Send it back within 30 days.", "You have 14 days.", ("30 days", "14 days")),
        ("It takes two weeks.", "It takes 3 weeks.", ("two weeks", "3 weeks")),
        ("Wait 2-14 days.", "Wait 2 to 10 days.", ("2-14 days", "2 to 10 days")),
        ("You save 5%.", "You save 7 percent.", ("5%", "7 percent")),
        ("The fee is €5.", "The fee is 7.50 euros.", ("€5", "7.50 euros")),
        ("It begins on 15 January 2024.", "It begins on January 16th.", ("15 January 2024", "January 16th")),
        ("The last day is 2026-01-31.", "The last day is 31 January 2027.", ("2026-01-31", "31 January 2027")),
        ("Yes, you may.", "No. You may not.", ("Yes", "No")),
    ],
)
def test_two_values_of_a_kind_conflict(one, other, values):
    assert conflict(one, other).values == values


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("It takes two days.", "It takes 2 days."),
        ("It costs €1,000.", "It costs 1000 EUR."),
        ("Wait 3 to 5 days.", "Wait 3-5 days."),
        ("It begins on 15 January 2024.", "It begins on Jan 15."),
        ("It takes 2 days; islands wait 7 days.", "It takes 3 days."),
        ("It takes 2 days.", "It takes 3 hours."),
        ("For example, 3 days.", "It takes 2 days."),
        ("No one may enter.", "Yes, you may."),
        ("See point 3.", "See point 4."),
    ],
)
def test_what_may_both_hold_is_no_conflict(one, other):
    assert conflict(one, other) is None


def test_the_order_of_two_answers_only_turns_their_values():
    assert conflict("Yes, in 2 days.", "No, in 3 days.").values == ("Yes", "No")
    assert conflict("No, in 3 days.", "Yes, in 2 days.").values == ("No", "Yes")


# --- entries that are not found -----------------------------------------------------------------------------------


def test_an_entry_whose_alternate_finds_another_is_shadowed_by_the_winner(of_kind):
    shadowed = {"question": "Are gift boxes sold?", "answer": "Some.", "alternates": ["Which cards do you accept?"]}
    (found,) = of_kind("shadowed", shadowed)
    assert (found.line, found.other.line) == (3, 2)
    assert found.message == ("its own alternate “Which cards do you accept?” finds “Which cards do you accept?” first")


def test_an_entry_that_does_not_hold_today_is_not_shadowed(of_kind):
    expired = {"question": "Which cards do you accept", "answer": "None.", "valid_until": "2020-01-01"}
    assert of_kind("shadowed", expired) == []


def test_an_entry_that_stands_back_for_a_pin_is_not_shadowed(of_kind):
    pinned = {"question": "Is it Easter now?", "answer": "It is.", "pin_for": ["Which cards do you accept?"]}
    assert of_kind("shadowed", pinned) == []


def test_nothing_is_encoded_that_the_index_holds(linted):
    _, encoder = linted(*pair("How do I return a parcel?", "May I see what I paid?"))
    assert encoder.encoded == []


# --- answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ("...", "empty", "says nothing"),
        ("N/A", "empty", "says nothing"),
        ("TODO", "empty", "placeholder"),
        ("Lorem ipsum dolor sit amet. " * 5, "empty", "placeholder"),
        ("See https://shop.example/help", "empty", "only a link"),
        ('<a href="https://shop.example/help">Our help page</a>', "empty", "only a link"),
        ("Run this:\n\n```\nmake serve\n", "broken", "never closed"),
        ("Send it by post, by train or", "broken", "cut off"),
        ("The steps are these:", "broken", "cut off"),
        ("Youâ€™ll get it soon.", "broken", "another encoding"),
        ("word " * 601, "long", "601 words"),
    ],
)
def test_an_answer_that_needs_mending_is_told(linted, answer, kind, said):
    (found,) = linted({"question": "Is anything wrong with this?", "answer": answer})[0]
    assert (found.kind, found.line) == (kind, 3)
    assert said in found.message


@pytest.mark.parametrize(
    "answer",
    [
        "Yes.",
        "42",
        "```\nmake serve\n```\n\nThen open the page.",
        "Leave a TODO in the file, which the next build shows with its line and its name to all who work on it.",
        "The rule is explained at https://shop.example/help, which all shops keep.",
        "word " * 600,
    ],
)
def test_an_answer_that_is_whole_is_left_alone(linted, answer):
    assert linted({"question": "Is anything wrong with this?", "answer": answer})[0] == ()


def test_a_fence_that_hides_the_rest_of_a_file_is_told_with_its_line(linted):
    page = "# Shop\n\n## Is it open?\n\nIt is, as the board shows.\n\n```\n9 to 5\n\n## Where is it?\n\nBy the sea.\n"
    found = [f for f in linted(files=[("shop.md", page)])[0] if f.entry_id is None]
    assert [(f.kind, f.file, f.line) for f in found] == [("broken", "shop.md", 7)]


# --- one sentence, but for a number -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "values"),
    [
        ("Connect to the server on port 5432.", "Connect to the server on port 5433.", ("port 5432", "port 5433")),
        (
            "Ask. The office is on floor 3 of it.",
            "The office is on floor three.\nThe office is on floor 4 of it.",
            ("floor 3 of", "floor 4 of"),
        ),
        (
            "About 1 week, then 2 weeks for the project.",
            "About 4 week, then 2 weeks for the project.",
            ("About 1 week", "About 4 week"),
        ),
        (
            "You send it back by the 15th of the month.",
            "You send it back by the 16th of the month.",
            ("the 15th of", "the 16th of"),
        ),
    ],
)
def test_answers_with_a_sentence_that_is_the_same_but_for_a_number_conflict(one, other, values):
    assert conflict(one, other).values == values


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Connect to the server on port 5,432.", "Connect to the server on port 5432!"),
        ("It is answered by 3 of our people.", "It is answered by three of our people."),
        ("1. Open the door of the shop", "2. Open the door of the shop"),
        ("Room 3 is open today, all day. Room 4 is open today, all day.", "Room 4 is open today, all day."),
        ("See it at https://example.org/a/3 on this page.", "See it at https://example.org/a/4 on this page."),
        ("It runs on version 2.3.1 of the server.", "It runs on version 2.3.2 of the server."),
        ("The grid is made so: app.grid(4, 2) and shown.", "The grid is made so: app.grid(5, 2) and shown."),
        ("For example, the server is on port 5432.", "For example, the server is on port 5433."),
        ("Floor 3.", "Floor 4."),
    ],
)
def test_answers_that_say_the_same_or_state_nothing_do_not(one, other):
    assert conflict(one, other) is None


# --- links --------------------------------------------------------------------------------------------------------

POST = "# Post\n\n## How late is it? {#late}\n\nUp to a week, by the rules of the post.\n"


@pytest.mark.parametrize("link", ["post.md#later", "./post.md#later", "#nowhere"])
def test_a_link_to_an_anchor_that_no_entry_has_is_dead(of_kind, link):
    page = f"# Money\n\n## May I pay by cheque?\n\nNo cheque is taken; see [here]({link}) for what is.\n"
    (found,) = of_kind("link", files=[("post.md", POST), ("money.md", page)])
    assert (found.file, found.line) == ("money.md", 3)
    assert link in found.message


@pytest.mark.parametrize(
    "link", ["post.md#late", "#may-i-pay-by-cheque", "other.md#any", "https://shop.example/#any", "#top", "post.md"]
)
def test_a_link_that_leads_somewhere_or_out_of_the_corpus_is_left_alone(of_kind, link):
    page = f"# Money\n\n## May I pay by cheque?\n\nNo cheque is taken; see [here]({link}) for what is.\n"
    assert of_kind("link", files=[("post.md", POST), ("money.md", page)]) == []


# --- dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"valid_until": "2026-05-31"}, "valid until 2026-05-31"),
        ({"reviewed": "2025-05-31", "owner": "Ann"}, "366 days ago; its owner is Ann"),
        ({"question": "Who may come to the fair in 2024?"}, "bound to 2024"),
        ({"question": "Who may come in the season 2023/24?"}, "bound to 2023"),
    ],
)
def test_a_date_that_has_passed_is_told(of_kind, fields, said):
    (found,) = of_kind("date", {"question": "Who may come to the fair?", "answer": "All may come."} | fields)
    assert said in found.message


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_until": "2026-06-01"},
        {"reviewed": "2025-06-01"},
        {"question": "Who may come to the fair in 2026?"},
        {"question": "Does it run on Windows 2019?"},
        {"question": "Is coronavirus disease 2019 known?"},
    ],
)
def test_a_date_that_has_not_passed_is_left_alone(of_kind, fields):
    assert of_kind("date", {"question": "Who may come to the fair?", "answer": "All may come."} | fields) == []


def test_after_how_many_days_a_review_is_due_can_be_set(of_kind):
    entry = {"question": "Who may come to the fair?", "answer": "All may come.", "reviewed": "2026-05-01"}
    assert len(of_kind("date", entry, review_days=30)) == 1


# --- as a whole ---------------------------------------------------------------------------------------------------


def test_findings_stand_in_the_order_of_files_and_lines_and_repeat(linted):
    entries = [
        {"question": "Is it nine?", "answer": "TODO"},
        *pair("How do I return a parcel?", "How can I return a parcel?"),
        {"question": "Who may come in 2019?", "answer": "Ask us, or"},
    ]
    first = linted(*entries)[0]
    assert [(f.line, f.kind) for f in first] == [(3, "empty"), (4, "duplicate"), (6, "broken"), (6, "date")]
    assert linted(*entries)[0] == first


def test_an_index_of_another_corpus_is_stale(run_build, corpus, index):
    run_build()
    (corpus / "about.txt").write_text("When do you close?\nAt five.\n")
    snapshot = open_snapshot(index)
    with pytest.raises(IndexStale, match="retriever build"):
        check_fresh(snapshot, read_corpus([corpus]), mend="retriever build")
    snapshot.close()
