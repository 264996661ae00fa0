"""Few and quick questions are answered on the event loop; many, slow or unknown ones on threads."""

import asyncio
import threading
import time

from retriever.api.asking import Asking
from retriever.api.board import Board
from retriever.api.threads import Threads

HERE = "MainThread"


def answered_on(*rounds: int, takes: float = 0) -> list[set[str]]:
    """Return the threads that answered in each of `rounds`, in which so many questions come at once."""
    names, found, board = [], [], Board()

    def answer(asked):
        time.sleep(takes)
        names.append(threading.current_thread().name)
        return asked.question.encode()

    async def app(_scope, _receive, _send):
        raise AssertionError("a question that is right needs no other way")

    async def ask(asking):
        sent = []

        async def receive():
            return {"type": "http.request", "body": b'{"question": "Why?"}', "more_body": False}

        async def send(message):
            sent.append(message)

        board.asking(+1)  # as the guard does
        await asking({"type": "http", "method": "POST", "path": "/ask"}, receive, send)
        board.asking(-1)
        assert (sent[0]["status"], sent[1]["body"]) == (200, b"Why?")

    async def run():
        threads = Threads(1)
        threads.start()
        asking = Asking(app, answer, threads, board)
        for count in rounds:
            await asyncio.gather(*(ask(asking) for _ in range(count)))
            found.append(set(names))
            names.clear()
        threads.stop()

    asyncio.run(run())
    return found


def test_the_first_question_is_answered_on_a_thread_since_it_may_be_slow():
    assert answered_on(1, 1) == [{"questions-0"}, {HERE}]


def test_quick_questions_are_answered_where_they_were_read():
    assert answered_on(1, 5, 5) == [{"questions-0"}, {HERE}, {HERE}]


def test_a_question_that_is_slow_is_answered_on_a_thread():
    assert answered_on(1, 1, takes=0.05) == [{"questions-0"}, {"questions-0"}]


def test_questions_that_would_be_slow_together_are_answered_on_a_thread():
    first, second = answered_on(1, 8, takes=0.01)
    assert first == {"questions-0"}
    assert "questions-0" in second  # all that came at once are counted before any is answered
