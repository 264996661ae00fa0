"""`POST /feedback`: what an asker says of an entry, from a program as JSON or from the page's buttons as a form."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from retriever.api.problems import Problem, problem
from retriever.api.requests import FeedbackRequest
from retriever.api.service import Service
from retriever.errors import FeedbackError, InputError
from retriever.feedback import Feedback, Said
from retriever.types import Answer

_LOG = logging.getLogger(__name__)
FORM = "application/x-www-form-urlencoded"
THANKS = "thanks"
"""The fragment of the address that a form leads back to: a page can show what is `:target`."""
_MOST_FIELDS = 10
# Each takes some milliseconds, one after another; who waits behind more than these is better told to come again.
_MOST_WAITING = 64
_AGAIN = {"Retry-After": "2"}


_RESPONSES: dict[int | str, dict[str, Any]] = {
    204: {"description": "It is kept"},
    303: {"description": "A form's is kept; back to the page it came from"},
    **{
        status: {"model": Problem, "description": said}
        for status, said in (
            (400, "The body is not JSON"),
            (403, "A form of another site"),
            (404, "Nothing is kept here"),
            (422, "A field is missing, unknown or out of bounds, or no such entry is served"),
            (503, "It cannot be kept now"),
        )
    },
}
_BODY = {
    "content": {kind: {"schema": FeedbackRequest.model_json_schema()} for kind in ("application/json", FORM)},
    "required": True,
}


class Note(Protocol):
    """Takes an answer for the log of questions; `typed` says that its asker may not have come to its end."""

    def __call__(self, answer: Answer, *, typed: bool) -> None: ...


def add_feedback(app: FastAPI, service: Service, feedback: Feedback | None) -> None:
    """Add the route; without `feedback` it is there to say that nothing is kept."""
    # Threads of its own: answers must not wait behind a disk.
    writing = CapacityLimiter(1)

    def keep(said: FeedbackRequest) -> None:
        assert feedback
        with service.lease() as served:
            if served.searcher.find(said.entry_id) is None:
                raise InputError("entry_id", "no entry that is served has this id")
            snapshot = said.snapshot or served.manifest.id
        feedback.say(Said(time.time(), said.question.strip(), said.entry_id, said.helpful, snapshot))

    @app.post(
        "/feedback",
        status_code=204,
        response_class=Response,
        responses=_RESPONSES,
        openapi_extra={"requestBody": _BODY},
        tags=["ask"],
        summary="Say whether an entry helped",
    )
    async def say(request: Request) -> Response:
        if feedback is None:
            return problem(404, "No feedback is kept here.")
        form = request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM
        if form and not _ours(request.headers):
            return problem(403, "A form of another site is not taken; send JSON.")
        said = _read(await request.body(), form=form)
        if writing.statistics().tasks_waiting >= _MOST_WAITING:
            return problem(503, "More is being said than can be kept. Try again in a moment.", headers=_AGAIN)
        try:
            await to_thread.run_sync(keep, said, limiter=writing)
        except FeedbackError as error:
            _LOG.error("%s", error)
            return problem(503, "This cannot be kept just now; the server's log says why.", headers=_AGAIN)
        return (
            Response(status_code=303, headers={"Location": _back(request, said)}) if form else Response(status_code=204)
        )


def _read(body: bytes, *, form: bool) -> FeedbackRequest:
    """Return what a body says. Raises RequestValidationError as a route's own parameters would."""
    try:
        if not form:
            return FeedbackRequest.model_validate_json(body, strict=True)
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        return FeedbackRequest.model_validate({name: value for name, value in fields if value or name != "snapshot"})
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error
    except ValueError as error:
        raise InputError("body", "is not a form that can be read") from error


def _ours(headers: Mapping[str, str]) -> bool:
    """Tell whether a form was sent by a page of this server, as far as a browser says: any site can post one here."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is None or _split(origin).netloc == headers.get("host")


def _split(address: str) -> SplitResult:
    """Return the parts of an address; of one that is none, nothing."""
    try:
        return urlsplit(address)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _back(request: Request, said: FeedbackRequest) -> str:
    """Return the address of the page that a form came from, as a path of this server whatever its header says."""
    came = _split(request.headers.get("referer", ""))
    path = "/" + came.path.lstrip("/\\")
    ours = came.netloc == request.headers.get("host") and path.isascii() and path.isprintable()
    page = f"{path}?{came.query}" if ours and came.query else path if ours else f"/?q={quote(said.question, safe='')}"
    return f"{page}#{THANKS}"
