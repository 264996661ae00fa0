"""What an owner sees of what was said and asked, through the real command."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from retriever.feedback import Asked, Feedback, Said

RETRIEVER = Path(sys.executable).with_name("retriever")


@pytest.fixture
def home(tmp_path, run_build):
    run_build()
    feedback = Feedback(tmp_path / "feedback.sqlite", 30)
    now = time.time() - 7300
    feedback.note(
        [Asked(now - 7200, "Is there\x1b wifi?", None, 0.04, False), Asked(now, "is there wifi", None, 0.05, False)]
    )
    feedback.note([Asked(now, "When do you open?", "hours", 0.9, True)])
    feedback.say(Said(now, "Post it back", "gone-1", False, "x"))
    return tmp_path


def run(home, *arguments: str):
    return subprocess.run(
        [RETRIEVER, "questions", *arguments],
        cwd=home,
        env={name: value for name, value in os.environ.items() if name != "RETRIEVER_FEEDBACK"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_unanswered_questions_and_opinions_are_listed(home):
    done = run(home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "1 of 3 questions answered; not answered:",
        "    2 ×     2 h  is there wifi  (nearest nothing 0.05)",
        "What askers said of entries:",
        "    0 helpful, 1 not  “gone-1”",
        "                      not for: Post it back",
    ]


def test_as_json_it_is_the_same(home):
    found = json.loads(run(home, "--json").stdout)
    assert (found["asked"], found["answered"]) == (3, 1)
    assert [(one["question"], one["times"]) for one in found["unanswered"]] == [("is there wifi", 2)]
    assert found["opinions"][0]["unhelpful_for"] == ["Post it back"]


def test_where_nothing_was_kept_it_says_how_to(home):
    done = run(home, "--feedback", "other.sqlite")
    assert done.stdout.splitlines() == [
        "No question is kept. To keep them: retriever serve --log-questions",
        "Nothing was said of any entry.",
    ]


def test_where_nothing_is_to_be_kept_that_is_an_error_that_names_the_setting(home):
    done = run(home, "--feedback", "")
    assert done.returncode == 2
    assert "feedback" in done.stderr
