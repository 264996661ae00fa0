"""What every request passes before a route sees it: a small body, in time, of the right type; safe headers after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from retriever.api.board import Board
from retriever.api.problems import SAFE_HEADERS, FieldProblem, problem

# A body of some kilobytes arrives at once; one that trickles holds a connection for nothing.
_BODY_SECONDS = 5.0
# As they are sent: a reply's own stand before them.
_SAFE = [(name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS.items()]


class TooLargeError(Exception):
    """The body is larger than what is taken."""


class Guard:
    """ASGI middleware: 413, 415, 408 and 503 before the body is parsed, and the headers that browsers heed.

    Args:
        app: answers what is let in.
        max_body: the most bytes of a body.
        queue: how many requests this worker takes at once.
        board: where it says how many it has taken.
    """

    def __init__(self, app: ASGIApp, max_body: int, queue: int, board: Board) -> None:
        self._app = app
        self._max_body = max_body
        self._queue = queue
        self._board = board

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in _SAFE if pair[0] not in given)]
            await send(message)

        body = await self._taken(scope, receive)
        if isinstance(body, Response):
            await body(scope, receive, send_safe)
        elif body is not None:
            await self._admit(scope, replay(body, receive), send_safe)

    async def _taken(self, scope: Scope, receive: Receive) -> bytes | Response | None:
        """Return the body, or why it is not taken; None if the client hung up before it was sent."""
        headers = Headers(scope=scope)
        if self._board.asked >= self._queue and _piles_up(scope["path"]):
            return _full
        if scope["method"] == "POST" and not _is_taken(scope["path"], headers):
            return _refuse(415, "is not sent as JSON; say Content-Type: application/json")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await self._read(headers, receive)
        except TooLargeError:
            return _refuse(413, f"has more than {self._max_body:,} bytes", _CLOSE)
        except TimeoutError:
            return _refuse(408, f"did not arrive within {_BODY_SECONDS:g} seconds", _CLOSE)

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, unless as many as can be answered in time came in while its body was read."""
        if not _piles_up(scope["path"]):
            await self._app(scope, receive, send)
        elif self._board.asked >= self._queue:
            await _full(scope, receive, send)
        else:
            self._board.asking(+1)
            try:
                await self._app(scope, receive, send)
            finally:
                self._board.asking(-1)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        """Return the body; None if the client hung up before it was sent."""
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_body:
            raise TooLargeError
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            parts.append(message.get("body", b""))
            if sum(map(len, parts)) > self._max_body:
                raise TooLargeError
            if not message.get("more_body", False):
                return b"".join(parts)


# Whether the server is up, what it serves and its files are always told; and its owner must be let in.
_ALWAYS = frozenset({"/healthz", "/readyz", "/info", "/docs", "/openapi.json", "/faq-search.js"})
_ALWAYS_BELOW = ("/static/", "/docs/", "/admin/")


def _piles_up(path: str) -> bool:
    """Tell whether a request is one of those that search or read entries, and so wait for each other."""
    return path not in _ALWAYS and not path.startswith(_ALWAYS_BELOW)


_full = problem(503, "More is being asked than can be answered. Try again in a moment.", headers={"Retry-After": "1"})
_CLOSE = {"Connection": "close"}


def _refuse(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    return problem(status, f"The body {detail}.", [FieldProblem(field="body", detail=detail)], headers)


# The page's buttons are a form, so that they work without JavaScript; the route sees to it that it is our page's.
_FORMS = frozenset({"/feedback"})
# It takes no body, and a token that no other site has.
_BARE = frozenset({"/admin/rebuild"})
_FORM = "application/x-www-form-urlencoded"


def _is_taken(path: str, headers: Headers) -> bool:
    """Tell whether a body is of a type that is taken there: no form of another site is to act for its reader."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return _is_json(kind) or (path in _FORMS and kind == _FORM) or (path in _BARE and not kind)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read, and then whatever comes after it."""
    messages: Iterable[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        for message in messages:
            return message
        return await receive()

    return replay
