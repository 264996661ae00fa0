"""`/admin/rebuild`: an owner's build on demand, beside the server, and how far it is. For who has the token."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from retriever.api.problems import Problem, problem
from retriever.rebuild import Job

_RESPONSES: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "No token is sent"},
    403: {"model": Problem, "description": "The token is another"},
}
_STARTS: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "A build is under way"},
    503: {"model": Problem, "description": "A build cannot be started"},
}
_BEARER = HTTPBearer(auto_error=False, description="The setting `admin_token`.")


@dataclass(frozen=True, slots=True)
class Admin:
    """What an owner may do over HTTP: `start` begins a build, forced or not, and returns None where one is running."""

    token: str
    start: Callable[[bool], Job | None]
    look: Callable[[], Job]


def add_admin(app: FastAPI, admin: Admin) -> None:
    """Add the routes. Where an owner has set no token they are not added at all."""
    token = admin.token.encode()

    async def check(sent: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> None:
        if sent is None:
            challenge = {"WWW-Authenticate": "Bearer"}
            raise HTTPException(401, "This takes a token: Authorization: Bearer ...", headers=challenge)
        if not hmac.compare_digest(sent.credentials.encode("latin-1"), token):
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
