"""POST /ask, answered with nothing between the guard and the threads: most requests are this one, and right.

FastAPI's own way is taken where anything is wrong, so that it says what, and shows the route in the docs.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError
from starlette.types import ASGIApp, Receive, Scope, Send

from retriever.api.guard import replay
from retriever.api.requests import AskRequest
from retriever.api.threads import Threads
from retriever.errors import InputError, SnapshotError


class Asking:
    """ASGI middleware inside of the guard, which has read the body whole.

    Args:
        app: answers all else.
        answer: returns the JSON that answers a question. Called on one of `threads`.
        threads: where that is done; until they are started, `app` answers.
    """

    def __init__(self, app: ASGIApp, answer: Callable[[AskRequest], bytes], threads: Threads) -> None:
        self._app = app
        self._answer = answer
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/ask" and scope["method"] == "POST" and self._threads.started:
            body: bytes = (await receive())["body"]
            try:
                found = await self._threads.run(self._answer, AskRequest.model_validate_json(body))
            except (ValidationError, InputError, SnapshotError):
                receive = replay(body, receive)
            else:
                headers = [(b"content-length", b"%d" % len(found)), (b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})
                await send({"type": "http.response.body", "body": found})
                return
        await self._app(scope, receive, send)
