"""A question is answered on the event loop while a worker has no other, and on a thread while it has."""

import asyncio
import threading

import msgspec

from retriever.api.asking import Asking
from retriever.api.board import Board
from retriever.api.threads import Threads


def answered_on(others: int) -> tuple[str, int]:
    """Return the thread that answered, and the status, while a worker has so many other questions."""
    names = []

    def answer(asked):
        names.append(threading.current_thread().name)
        return msgspec.json.encode(asked.question)

    async def app(_scope, _receive, _send):
        raise AssertionError("a question that is right needs no other way")

    async def ask():
        threads, board, sent = Threads(1), Board(), []
        threads.start()
        board.asking(1 + others)

        async def receive():
            return {"type": "http.request", "body": b'{"question": "Why?"}', "more_body": False}

        async def send(message):
            sent.append(message)

        try:
            await Asking(app, answer, threads, board)({"type": "http", "method": "POST", "path": "/ask"}, receive, send)
        finally:
            threads.stop()
        assert sent[1]["body"] == b'"Why?"'
        return sent[0]["status"]

    status = asyncio.run(ask())
    return names[0], status


def test_a_lone_question_is_answered_where_it_was_read():
    assert answered_on(others=0) == (threading.current_thread().name, 200)


def test_one_of_several_is_answered_on_a_thread():
    assert answered_on(others=1) == ("questions-0", 200)
