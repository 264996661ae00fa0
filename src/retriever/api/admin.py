"""`/admin/rebuild`: an owner's build on demand, beside the server, and how far it is. For who has the token."""

from __future__ import annotations

import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from retriever.api.problems import Problem, problem
from retriever.rebuild import Job

_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No token is sent"},
    403: {"model": Problem, "description": "The token is another"},
    429: {"model": Problem, "description": "Too many tokens of this address were wrong"},
}
_STARTS: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "A build is under way"},
    503: {"model": Problem, "description": "A build cannot be started"},
}
_BEARER = HTTPBearer(auto_error=False, description="The setting `admin_token`.")


@dataclass(frozen=True, slots=True)
class Admin:
    """What an owner may do over HTTP: `start` begins a build, forced or not, and returns None where one is running.

    An address that sends no token or a wrong one `failures` times within a minute is not heard until that is over.
    """

    token: str
    start: Callable[[bool], Job | None]
    look: Callable[[], Job]
    failures: int = 10


_MINUTE = 60.0
_MOST_ADDRESSES = 10_000


class _Failures:
    """When each address sent a token that is none. Used on the event loop only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._when: dict[str, deque[float]] = {}

    def add(self, address: str) -> None:
        if len(self._when) >= _MOST_ADDRESSES:  # whoever has so many is not held up by counting them
            self._when.clear()
        self._when.setdefault(address, deque(maxlen=self._most)).append(time.monotonic())

    def too_many(self, address: str) -> bool:
        when = self._when.get(address)
        return when is not None and len(when) >= self._most and when[0] > time.monotonic() - _MINUTE


def add_admin(app: FastAPI, admin: Admin) -> None:
    """Add the routes. Where an owner has set no token they are not added at all."""
    token = admin.token.encode()

    failures = _Failures(admin.failures)

    async def check(request: Request, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        address = request.client.host if request.client else ""
        if failures.too_many(address):
            again = {"Retry-After": f"{_MINUTE:.0f}"}
            raise HTTPException(429, "Too many tokens were wrong. Try again in a minute.", headers=again)
        if sent is None or len(request.headers.getlist("authorization")) > 1:
            failures.add(address)
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "This takes a token: Authorization: Bearer ...", headers=challenge)
        if not hmac.compare_digest(sent.credentials.encode("latin-1"), token):
            failures.add(address)
            raise HTTPException(403, "This token is not the one that is set.")

    @app.post(
        "/admin/rebuild",
        status_code=202,
        response_model=Job,
        responses=_RESPONSES | _STARTS,
        dependencies=[Depends(check)],
        tags=["admin"],
        summary="Build the index from the corpus",
    )
    def start(
        force: Annotated[bool, Query(description="Publish though questions are answered worse.")] = False,
    ) -> Response:
        job = admin.start(force)
        if job is None:
            return problem(409, "A build is under way already; GET this address to hear how far it is.", headers=_FRESH)
        return _told(job, 202)

    @app.get(
        "/admin/rebuild",
        response_model=Job,
        responses=_RESPONSES,
        dependencies=[Depends(check)],
        tags=["admin"],
        summary="How far is the build?",
    )
    def look() -> Response:
        return _told(admin.look(), 200)


_FRESH = {"Cache-Control": "no-store"}


def _told(job: Job, status: int) -> Response:
    return Response(msgspec.json.encode(job), status, headers=_FRESH, media_type="application/json")
