"""What an owner sees of a rebuild through the real commands: the diff, the check, the gate, and the way back."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retriever.feedback import Asked, Feedback, Said

pytestmark = pytest.mark.model

RETRIEVER = Path(sys.executable).with_name("retriever")
ENTRIES = [
    {"_id": "hours", "question": "When do you open?", "answer": "At nine in the morning."},
    {"_id": "cards", "question": "Which cards do you take?", "answer": "Any credit or debit card."},
    {"question": "Do you deliver?", "answer": "Yes, within two days."},
]
GOLDEN = [
    {"question": "what time do you open in the morning", "ids": ["hours"]},
    {"question": "can I pay with a credit card", "ids": ["Which cards do you take?"]},
    {"question": "how tall is the tower of Pisa", "ids": []},
]


class Home:
    """A folder with a corpus, and the command run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "corpus").mkdir()
        self.write("faq.jsonl", ENTRIES)
        self.write("golden.jsonl", GOLDEN)

    def write(self, name: str, rows: list[dict]) -> None:
        (self.folder / "corpus" / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def run(self, *arguments: str, **variables: str):
        return subprocess.run(
            [RETRIEVER, *arguments],
            cwd=self.folder,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def json(self, *arguments: str):
        return json.loads(self.run(*arguments, "--json").stdout)

    def served(self) -> str:
        return (self.folder / "index" / "CURRENT").read_text().strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A home whose corpus was built once, and what the command said."""
    home = Home(tmp_path_factory.mktemp("rebuild"))
    return home, home.run("build")


@pytest.fixture
def home(built):
    """The home with the corpus and the snapshot as they were first."""
    home, _ = built
    first = min(path.name for path in (home.folder / "index" / "snapshots").iterdir())
    home.write("faq.jsonl", ENTRIES)
    home.write("golden.jsonl", GOLDEN)
    if home.served() != first:
        assert home.run("rollback", first).returncode == 0
    return home


def test_a_build_tells_how_labelled_questions_are_answered(built):
    assert built[1].returncode == 0, built[1].stderr
    assert "Labelled questions: 3 of 3 answered rightly." in built[1].stdout


# --- before a build -----------------------------------------------------------------------------------------------

EDITED = [
    ENTRIES[0] | {"answer": "At ten.", "tags": ["shop"]},
    {"question": "Will you deliver to my door?", "answer": "Yes, within two days."},
    {"question": "Do you have a shop?", "answer": "In Utrecht."},
    {"question": "And this one?", "answer": ""},
]


def test_a_diff_shows_what_was_added_changed_in_which_field_removed_and_refused(home):
    home.write("faq.jsonl", EDITED)
    served = home.served()
    done = home.run("build", "--diff")
    assert done.stdout.splitlines() == [
        "+ added    faq.jsonl:3  Do you have a shop?",
        "~ changed  faq.jsonl:1  When do you open?  (answer, tags)",
        "~ changed  faq.jsonl:2  Will you deliver to my door?  (question)",
        "- removed  faq.jsonl:2  Which cards do you take?",
        "! refused  faq.jsonl:4  a question without an answer: “And this one?”",
        "! finding  golden.jsonl:2  ids[0]: no entry has the id or the question “Which cards do you take?”",
        "1 added, 2 changed, 1 removed, 0 in other lines, 0 unchanged, 1 refused, 3 labelled questions, 1 to mend. "
        "Nothing was published.",
    ]
    assert (done.returncode, home.served()) == (0, served)


def test_a_diff_as_json_has_the_same(home):
    home.write("faq.jsonl", EDITED)
    found = home.json("build", "--diff")
    assert found["snapshot"] == home.served()
    assert [change["fields"] for change in found["changed"]] == [["answer", "tags"], ["question"]]
    assert found["changed"][1]["was"].startswith("do-you-deliver-")
    assert [change["id"] for change in found["removed"]] == ["cards"]
    assert [refusal["line"] for refusal in found["refused"]] == [4]


def test_an_entry_that_only_moved_is_no_change(home):
    home.write("faq.jsonl", ENTRIES[::-1])
    found = home.json("build", "--diff")
    assert (found["moved"], found["unchanged"], found["changed"]) == (2, 1, [])


def test_a_check_of_a_sound_corpus_is_0(home):
    assert home.run("build", "--check").returncode == 0


@pytest.mark.parametrize("name", ["faq.jsonl", "golden.jsonl"])
def test_a_check_of_what_is_refused_or_to_mend_is_3_and_publishes_nothing(home, name):
    home.write(name, [*(ENTRIES if name == "faq.jsonl" else GOLDEN), {"question": "Incomplete?"}])
    served = home.served()
    done = home.run("build", "--check")
    assert done.returncode == 3
    assert f"{name}:4  " in done.stdout
    assert home.served() == served


def test_a_check_needs_no_index(home):
    done = home.run("build", "--check", "--diff", "--index", "nowhere")
    assert done.returncode == 0
    assert done.stdout.count("+ added") == 3
    assert not (home.folder / "nowhere").exists()


# --- the gate -----------------------------------------------------------------------------------------------------


def test_a_build_that_answers_a_labelled_question_worse_is_4_and_publishes_nothing(home):
    home.write("faq.jsonl", [*ENTRIES, {"question": "What time do you open in the morning?", "answer": "Never."}])
    served = home.served()
    done = home.run("build")
    assert done.returncode == 4
    assert "WORSE what time do you open in the morning" in done.stdout
    assert "“When do you open?”" in done.stdout
    assert f"NOT PUBLISHED: snapshot {served} still serves" in done.stdout
    assert home.served() == served


def test_forced_it_is_published_and_listed_as_forced(home):
    home.write("faq.jsonl", [*ENTRIES, {"question": "What time do you open in the morning?", "answer": "Never."}])
    report = home.json("build", "--force")
    assert (report["published"], report["gate"]["forced"], report["gate"]["regressions"]) == (True, True, 1)
    listed = home.run("snapshots").stdout.splitlines()
    assert listed[0].startswith(f"* {report['snapshot']}")
    assert "2 of 3 labelled questions right, 1 worse: forced" in listed[0]


def test_a_build_replays_what_was_asked_and_refuses_where_what_helped_is_not_given_any_more(home):
    feedback = Feedback(home.folder / "feedback.sqlite", 30)
    try:
        feedback.note([Asked(time.time(), question, None, 0.1, False) for question in ("shipping?", "Do you deliver?")])
        feedback.say(Said(time.time(), "pay by card please", "cards", True, home.served()))
        home.write("faq.jsonl", [*ENTRIES, {"question": "Pay by card, please?", "answer": "Never."}])
        done = home.run("build")
        assert done.returncode == 4, done.stderr
        assert "Questions asked before: 3 replayed, 1 answered differently." in done.stdout
        assert "  WORSE pay by card please" in done.stdout
        assert home.run("build", "--force").returncode == 0
        listed = home.run("snapshots").stdout.splitlines()[0]
        assert "1 of 3 asked before answered differently" in listed
        assert listed.endswith("worse: forced")
    finally:
        (home.folder / "feedback.sqlite").unlink()


# --- the way back -------------------------------------------------------------------------------------------------


def test_a_rollback_serves_the_snapshot_before_and_the_next_build_the_corpus(home):
    before = home.served()
    home.write("faq.jsonl", [*ENTRIES, {"question": "Do you sell gift cards?", "answer": "At the till."}])
    after = home.json("build")["snapshot"]
    done = home.run("rollback")
    assert done.returncode == 0, done.stderr
    assert home.served() < after
    assert home.json("rollback", before)["id"] == home.served() == before
    again = home.json("build")
    assert (again["published"], again["encoded"]) == (True, 0)


def test_the_list_says_which_snapshot_serves(home):
    kept = home.json("snapshots")
    assert [row["id"] for row in kept if row["current"]] == [home.served()]
    assert kept == sorted(kept, key=lambda row: row["id"], reverse=True)
    assert {row["encoder"] for row in kept} == {"all-MiniLM-L6-v2"}
