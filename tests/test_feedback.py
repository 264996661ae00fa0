"""What askers said and asked is kept for the owner: whole, for a while, by several processes, and off their path."""

import logging
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from retriever import feedback as module
from retriever.errors import FeedbackError
from retriever.feedback import Asked, Feedback, QuestionLog, Said

DAY = 86_400


def said(question="open?", entry="hours", helpful=True, *, ago=0.0) -> Said:
    return Said(time.time() - ago, question, entry, helpful, "snapshot")


def asked(question, *, answered=False, entry="hours", ago=0.0) -> Asked:
    return Asked(time.time() - ago, question, entry, 0.9 if answered else 0.1, answered)


@pytest.fixture
def feedback(tmp_path):
    return Feedback(tmp_path / "feedback.sqlite", 30)


# --- the file -----------------------------------------------------------------------------------------------------


def test_nothing_kept_is_nothing_to_tend_and_makes_no_file(feedback, tmp_path):
    assert feedback.tended(10) == module.Tended(0, 0, (), ())
    assert feedback.recent(10) == ()
    assert list(tmp_path.iterdir()) == []


def test_what_was_said_is_counted_by_entry_the_least_helpful_first(feedback):
    for one in (said(), said(), said("wifi?", "cards", False), said("vpn?", "cards", False), said(entry="cards")):
        feedback.say(one)
    opinions = feedback.tended(10).opinions
    assert [(one.entry_id, one.helpful, one.unhelpful) for one in opinions] == [("cards", 1, 2), ("hours", 2, 0)]
    assert opinions[0].unhelpful_for == ("vpn?", "wifi?")


def test_unanswered_questions_are_grouped_by_their_words_the_most_asked_first(feedback):
    feedback.note([asked("parking?", ago=9), asked("Is there wifi", ago=8), asked("is there WiFi?", ago=1)])
    feedback.note([asked("when do you open", answered=True)])
    tended = feedback.tended(10)
    assert (tended.asked, tended.answered) == (4, 1)
    assert [(one.question, one.times) for one in tended.unanswered] == [("is there WiFi?", 2), ("parking?", 1)]


def test_no_more_unanswered_questions_are_listed_than_are_wanted(feedback):
    feedback.note([asked("parking?"), asked("wifi?")])
    assert len(feedback.tended(1).unanswered) == 1


def test_what_is_too_old_is_removed(feedback):
    feedback.note([asked("old", ago=31 * DAY), asked("young", ago=29 * DAY)])
    feedback.say(said("old", ago=31 * DAY))
    assert [one.question for one in feedback.tended(10).unanswered] == ["young"]
    assert feedback.tended(10).opinions == ()


def test_no_more_is_kept_than_there_is_room_for(feedback, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3)
    for number in range(5):
        feedback.note([asked(f"q{number}", ago=5 - number)])
    assert {one.question for one in feedback.tended(10).unanswered} == {"q2", "q3", "q4"}


def test_the_latest_distinct_questions_are_recalled_with_what_helped(feedback):
    feedback.note([asked("When open?", ago=9), asked("when open", ago=8), asked("wifi?", ago=7)])
    feedback.say(said("When open?", "hours", ago=6))
    feedback.say(said("wifi?", "hours", False, ago=5))
    assert [(one.question, set(one.helpful)) for one in feedback.recent(2)] == [
        ("wifi?", set()),
        ("When open?", {"hours"}),
    ]
    assert len(feedback.recent(1)) == 1


def test_what_helped_as_often_as_it_did_not_helped_nobody(feedback):
    feedback.say(said())
    feedback.say(said(helpful=False))
    assert feedback.recent(1)[0].helpful == frozenset()


def test_several_write_at_once_and_nothing_is_lost(feedback):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: feedback.say(said(f"q{number}")), range(80)))
    assert feedback.tended(1).opinions[0].helpful == 80


def test_nobody_else_may_read_the_file(feedback, tmp_path):
    feedback.say(said())
    assert (tmp_path / "feedback.sqlite").stat().st_mode & 0o077 == 0


def test_a_file_that_is_none_is_an_error_that_names_it_and_is_left_as_it_is(feedback, tmp_path):
    path = tmp_path / "feedback.sqlite"
    path.write_text("somebody's notes, and no database at all, whatever it is called" * 10)
    with pytest.raises(FeedbackError, match=r"feedback\.sqlite cannot be used: .*\n.*RETRIEVER_FEEDBACK"):
        feedback.say(said())
    assert path.read_text().startswith("somebody's notes")


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FeedbackError, match="No such file"):
        Feedback(tmp_path / "gone" / "feedback.sqlite", 30).check()


def test_a_file_that_another_holds_is_waited_for_no_longer_than_is_bearable(feedback, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.1)
    feedback.check()
    with closing(sqlite3.connect(tmp_path / "feedback.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        with pytest.raises(FeedbackError, match="locked"):
            feedback.say(said())
        assert time.monotonic() - began < 2


# --- the log ------------------------------------------------------------------------------------------------------


class Kept:
    """A log whose questions are kept in a list, so that what it hands on can be seen."""

    def __init__(self, hold: float = 60) -> None:
        self.questions: list[str] = []
        self.log = QuestionLog(lambda asked: self.questions.extend(one.question for one in asked), hold=hold)

    def of(self, *noted: tuple[str, bool]) -> list[str]:
        """Return what is kept of questions that are noted and, after them, the end."""
        self.log.start()
        for question, typed in noted:
            self.log.note(asked(question), typed=typed)
        self.log.stop()
        return self.questions


def test_of_what_is_typed_the_question_that_was_meant_is_kept():
    typed = ["how", "how do I ret", "how do I retrun it", "how do I return", "how do I return it?"]
    assert Kept().of(*((question, True) for question in typed)) == ["how do I return it?"]


def test_two_questions_that_begin_differently_are_both_kept():
    assert Kept().of(("when do you open", True), ("which cards do you take", True)) == [
        "when do you open",
        "which cards do you take",
    ]


def test_what_a_program_asks_is_kept_every_time():
    assert Kept().of(("open?", False), ("open?", False)) == ["open?", "open?"]


def test_a_question_is_kept_once_it_has_stood_for_a_moment(monkeypatch):
    monkeypatch.setattr(module, "_FLUSH_SECONDS", 0.01)
    kept = Kept(hold=0.05)
    kept.log.start()
    kept.log.note(asked("when do you open"), typed=True)
    deadline = time.monotonic() + 10
    while not kept.questions and time.monotonic() < deadline:
        time.sleep(0.01)
    kept.log.note(asked("when do you open on Sunday"), typed=True)
    kept.log.stop()
    assert kept.questions == ["when do you open", "when do you open on Sunday"]


def test_a_question_takes_less_than_a_tenth_of_a_millisecond_however_many_are_held(feedback):
    log = QuestionLog(feedback.note)
    many = [asked(f"how do I do thing number {number * 7919 % 1000} with my parcel") for number in range(1000)]
    began = time.process_time()
    for one in many:
        log.note(one, typed=True)
    log._flush(float("inf"))
    assert (time.process_time() - began) / 1000 < 1e-4


def test_a_disk_that_takes_nothing_is_said_once_and_stops_no_question(tmp_path, caplog):
    log = QuestionLog(Feedback(tmp_path / "gone" / "feedback.sqlite", 30).note)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            log.note(asked("open?"), typed=False)
            log._flush(float("inf"))
    assert [record.message.partition(":")[0] for record in caplog.records] == ["questions are not kept"]
