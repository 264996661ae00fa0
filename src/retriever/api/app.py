"""The routes. Each is a few lines: the searcher answers, msgspec or the page writes it down."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol

import fastapi_offline
import msgspec
from anyio import to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

import retriever
from retriever.api.feedback import add_feedback
from retriever.api.guard import Guard
from retriever.api.origins import Origins
from retriever.api.problems import Problem, add_problem_handlers
from retriever.api.requests import AskFilters, AskQuery, AskRequest
from retriever.api.service import NotReadyError, Served, Service
from retriever.defaults import DEFAULT_QUEUE
from retriever.errors import InputError
from retriever.feedback import Asked, Feedback, QuestionLog
from retriever.search import Searcher
from retriever.types import Answer, Manifest
from retriever.web.language import ENGLISH
from retriever.web.page import CSP, STATIC, render_page, render_results, say_error

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON"},
    413: {"model": Problem, "description": "The body is too large"},
    415: {"model": Problem, "description": "The body is not sent as JSON"},
    422: {"model": Problem, "description": "A field is missing, unknown or out of bounds"},
    503: {"model": Problem, "description": "No index is open"},
}
_ASK_GET: dict[int | str, dict[str, Any]] = {status: _PROBLEMS[status] for status in (422, 503)}


class _Note(Protocol):
    """Takes an answer for the log of questions; `typed` says that its asker may not have come to its end."""

    def __call__(self, answer: Answer, *, typed: bool) -> None: ...


def create_app(
    open_searcher: Callable[[], Searcher],
    *,
    title: str,
    k: int,
    max_body: int,
    queue: int = DEFAULT_QUEUE,
    threads: int = 2,
    origins: Sequence[str] = (),
    patience: float = 0,
    wanted: Callable[[], str | None] = lambda: None,
    feedback: Feedback | None = None,
    log_questions: bool = False,
) -> FastAPI:
    """Return the application.

    `open_searcher` is called in the background when it starts, and again whenever `wanted` tells another snapshot's id.
    Questions are answered on `threads` threads; `queue` are taken at once, the others told to come again. It takes no
    request for as long as the index is being opened, but at most for `patience` seconds. Pages of the sites `origins`
    may ask from where they are. `feedback` keeps what askers say of answers, and with `log_questions` what they ask.
    """
    service = Service(open_searcher, wanted)
    log = QuestionLog(feedback.note) if feedback and log_questions else None

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = threads
        service.start()
        if log:
            log.start()
        if patience:
            await to_thread.run_sync(service.tried.wait, patience)
        yield
        service.stop()
        if log:
            log.stop()

    def note(answer: Answer, *, typed: bool) -> None:
        if log:
            log.note(Asked.of(answer), typed=typed)

    app = FastAPI(
        title="retriever",
        version=retriever.__version__,
        description="Ask a question in your own words, get the FAQ passage that answers it.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(Guard, max_body=max_body, queue=queue)
    if origins:  # outside of the guard, so that a page may read why it was refused
        app.add_middleware(Origins, origins=origins)
    add_problem_handlers(app)
    _add_ask(app, service, k, note)
    _add_health(app, service)
    _add_page(app, service, title, k, note, feedback=feedback is not None)
    add_feedback(app, service, feedback)
    _add_docs(app)
    return app


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _add_ask(app: FastAPI, service: Service, default_k: int, note: _Note) -> None:
    def answer(question: str, k: int | None, filters: AskFilters, explain: bool, least: float | None) -> Answer:
        with service.lease() as served:
            return served.searcher.ask(
                question, k or default_k, filters.to_filters(), explain=explain, min_confidence=least
            )

    # Plain `def`: encoding and searching block, so they run on FastAPI's threads, never on the event loop.
    @app.post("/ask", response_model=Answer, responses=_PROBLEMS, tags=["ask"], summary="Ask a question")
    def ask(asked: AskRequest) -> Response:
        found = answer(asked.question, asked.k, asked.filters, asked.explain, asked.min_confidence)
        note(found, typed=False)
        return _json(found)

    @app.get("/ask", response_model=Answer, responses=_ASK_GET, tags=["ask"], summary="Ask a question by its address")
    def ask_by_address(asked: Annotated[AskQuery, Query()]) -> Response:
        found = answer(asked.q, asked.k, asked, asked.explain, asked.min_confidence)
        note(found, typed=True)  # a search box may ask so while its reader types
        return _json(found)


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["health"], summary="Is the server up?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", responses={503: _PROBLEMS[503]}, tags=["health"], summary="Is a snapshot open?")
    async def readyz() -> dict[str, str]:
        with service.lease() as served:
            ready = {"status": "ready", "snapshot": served.manifest.id}
        # The old snapshot serves on where the new one cannot be opened, and its owner must hear of it.
        return ready | ({"problem": service.problem} if service.problem else {})

    @app.get(
        "/info", response_model=Manifest, responses={503: _PROBLEMS[503]}, tags=["health"], summary="What is served?"
    )
    async def info() -> Response:
        with service.lease() as served:
            return _json(served.manifest)


def _add_page(app: FastAPI, service: Service, title: str, default_k: int, note: _Note, *, feedback: bool) -> None:
    @app.head("/", include_in_schema=False)
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page(request: Request, q: str = "") -> Response:
        k = _whole(request.query_params.get("k"), default_k)
        served, found, error, status = _answer(service, q, k, note)
        html = render_page(
            title=title,
            query=q,
            answer=found,
            error=error,
            k=k if "k" in request.query_params else None,
            examples=served.examples if served else (),
            entries=served.manifest.counts.entries if served else None,
            snapshot=served.manifest.id if served else None,
            feedback=feedback,
        )
        return HTMLResponse(html, status, headers={"Content-Security-Policy": CSP})

    @app.get("/results", response_class=HTMLResponse, include_in_schema=False)
    def results(request: Request, q: str = "") -> Response:
        _, found, error, status = _answer(service, q, _whole(request.query_params.get("k"), default_k), note)
        html = render_results(found, q, error, feedback=feedback)
        return HTMLResponse(html, status, headers={"Content-Security-Policy": CSP, "X-Robots-Tag": "noindex"})

    app.mount("/static", _Immutable(directory=STATIC), name="static")


def _answer(service: Service, query: str, k: int, note: _Note) -> tuple[Served | None, Answer | None, str | None, int]:
    """Return what is served, its answer, or else what is wrong, and the status that says so."""
    try:
        with service.lease() as served:
            if not query.strip():
                return served, None, None, 200
            try:
                found = served.searcher.ask(query, k)
                note(found, typed=True)
                return served, found, None, 200
            except InputError as error:
                return served, None, say_error(error, query), 422
    except NotReadyError:
        if not query.strip():
            return None, None, None, 200
        return None, None, ENGLISH.t("error.starting"), 503


def _whole(text: str | None, default: int) -> int:
    """Return a page's `k`; one that is not a number is a slip in an address, and not worth an error."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,4}", text) else default


class _Immutable(StaticFiles):
    """Static files whose address changes with their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return the file, to be kept for ever."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.headers["Content-Security-Policy"] = CSP
        return response


def _add_docs(app: FastAPI) -> None:
    """Serve Swagger UI from this machine: FastAPI's own page loads it from a third party."""
    html = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="retriever: API",
        swagger_js_url="/docs/static/swagger-ui-bundle.js",
        swagger_css_url="/docs/static/swagger-ui.css",
        swagger_favicon_url="/docs/static/favicon.png",
    )
    scripts = re.findall(rb"<script>(.*?)</script>", bytes(html.body), re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s).digest()).decode()}'" for s in scripts)
    policy = (
        f"default-src 'self'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "base-uri 'none'; frame-ancestors 'none'"
    )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(bytes(html.body), headers={"Content-Security-Policy": policy})

    static = Path(fastapi_offline.__file__).parent / "static"
    app.mount("/docs/static", StaticFiles(directory=static), name="docs-static")
