"""POST /ask, answered with nothing between the guard and the search: most requests are this one, and right.

FastAPI's own way is taken where anything is wrong, so that it says what, and shows the route in the docs.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from retriever.api.board import Board
from retriever.api.guard import replay
from retriever.api.requests import AskRequest
from retriever.api.threads import Threads
from retriever.errors import InputError, SnapshotError

# Health is told within a tenth of a second, whatever is asked.
_HELD_SECONDS = 0.03


class Asking:
    """ASGI middleware inside of the guard, which has read the body whole.

    Args:
        app: answers all else.
        answer: returns the JSON that answers a question.
        threads: where that is done; until they are started, `app` answers.
        board: tells how many questions this worker has. Few and quick ones are answered where they were read: a thread
            and back take 0.2 ms of what a lone client waits, and whoever comes meanwhile would wait for it as well.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[AskRequest], bytes], threads: Threads, board: Board) -> None:
        self._app = app
        self._answer = answer
        self._threads = threads
        self._board = board
        self._took = math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/ask" and scope["method"] == "POST" and self._threads.started:
            body: bytes = (await receive())["body"]
            try:
                asked = AskRequest.model_validate_json(body)
                await asyncio.sleep(0)  # so that all that came with this one are counted
                found = self._timed(asked) if self._are_quick() else await self._threads.run(self._timed, asked)
            except (ValidationError, InputError, SnapshotError):
                receive = replay(body, receive)
            else:
                headers = [(b"content-length", b"%d" % len(found)), (b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": found})
                return
        await self._app(scope, receive, send)

    def _are_quick(self) -> bool:
        """Tell whether all questions that this worker has would not hold the loop for long, one after the other."""
        return self._board.asked * self._took < _HELD_SECONDS

    def _timed(self, asked: AskRequest) -> bytes:
        began = time.perf_counter()
        try:
            return self._answer(asked)
        finally:
            self._took = time.perf_counter() - began
