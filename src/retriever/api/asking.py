"""POST /ask, answered with nothing between the guard and the search: most requests are this one, and right.

FastAPI's own way is taken where anything is wrong, so that it says what, and shows the route in the docs.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from retriever.api.board import Board
from retriever.api.guard import replay
from retriever.api.requests import AskRequest
from retriever.api.threads import Threads
from retriever.errors import InputError, SnapshotError


class Asking:
    """ASGI middleware inside of the guard, which has read the body whole.

    Args:
        app: answers all else.
        answer: returns the JSON that answers a question.
        threads: where that is done; until they are started, `app` answers.
        board: tells how many questions this worker has. One that is alone is answered where it was read: a thread and
            back take a lone client 0.2 ms, and whoever comes meanwhile would wait for the question as well.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[AskRequest], bytes], threads: Threads, board: Board) -> None:
        self._app = app
        self._answer = answer
        self._threads = threads
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/ask" and scope["method"] == "POST" and self._threads.started:
            body: bytes = (await receive())["body"]
            try:
                asked = AskRequest.model_validate_json(body)
                alone = self._board.asked == 1
                found = self._answer(asked) if alone else await self._threads.run(self._answer, asked)
            except (ValidationError, InputError, SnapshotError):
                receive = replay(body, receive)
            else:
                headers = [(b"content-length", b"%d" % len(found)), (b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": found})
                return
        await self._app(scope, receive, send)
