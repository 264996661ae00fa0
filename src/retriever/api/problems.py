"""Errors as RFC 9457 problem details that name the field. What was sent is never echoed back."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match

from retriever.errors import InputError, SnapshotError

_LOG = logging.getLogger(__name__)

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""What every reply carries, for browsers to heed."""


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details. `errors` says it field by field where the request is at fault."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


_SAYING = {
    400: "The body is not JSON",
    404: "There is none of this id",
    413: "The body is too large",
    415: "The body is not sent as JSON",
    422: "A field is missing, unknown or out of bounds",
    503: "No index is open",
}


def problems_of(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route may reply instead, for the OpenAPI docs."""
    return {status: {"model": Problem, "description": _SAYING[status]} for status in statuses}


def problem(
    status: int,
    detail: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response that says what is wrong."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors))
    return Response(
        msgspec.json.encode(body.model_dump()),
        status_code=status,
        headers={**SAFE_HEADERS, **(headers or {})},
        media_type="application/problem+json",
    )


def add_problem_handlers(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InputError, _input)
    app.add_exception_handler(SnapshotError, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return _not_json()
    fields = [FieldProblem(field=_field(one["loc"]), detail=_detail(one)) for one in found[:_MOST_FIELDS]]
    return problem(422, "; ".join(f"{one.field}: {one.detail}" for one in fields), fields)


# A request can be wrong in thousands of places; the first few are enough to mend it, and the reply stays small.
_MOST_FIELDS = 3
_LONGEST_NAME = 24


def _field(place: Sequence[str | int]) -> str:
    """Return `filters.tags.0` for the place that Pydantic gives, less where the value came from."""
    parts = [str(part) for part in place]
    if parts and parts[0] in {"body", "query", "path", "header"}:
        parts = parts[1:]
    name = ".".join(parts) or "body"
    printable = "".join(char if char.isprintable() else "?" for char in name)
    return printable if len(printable) <= _LONGEST_NAME else printable[:_LONGEST_NAME] + "…"


def _detail(error: Mapping[str, Any]) -> str:
    kind = error["type"]
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a field that is known here"
    if kind == "string_unicode":
        return "holds a lone surrogate, which is no character"
    return str(error["msg"]).removeprefix("Value error, ")


def _input(_request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return problem(422, str(error), [FieldProblem(field=error.field, detail=error.problem)])


def _unavailable(_request: Request, error: Exception) -> Response:
    return problem(503, str(error), headers={"Retry-After": "5"})


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = error.headers
    if error.status_code == 405:
        headers = {"Allow": ", ".join(_methods(request))}
    elif error.status_code == 400:
        return _not_json()
    return problem(error.status_code, str(error.detail), headers=headers)


def _methods(request: Request) -> list[str]:
    """Return the methods of all routes at this path; Starlette says only those of the first."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", None) or {"GET", "HEAD"}})


def _not_json() -> Response:
    detail = "is not JSON"
    return problem(400, f"The body {detail}.", [FieldProblem(field="body", detail=detail)])


def _unexpected(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(500, "Something went wrong here; the server's log says what.")
