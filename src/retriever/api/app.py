"""The application: its questions, its health and its docs; the corpus and the pages stand in modules of their own."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import fastapi_offline
import msgspec
from anyio import to_thread
from fastapi import FastAPI, Query, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

import retriever
from retriever.api.admin import Admin, add_admin
from retriever.api.asking import Asking
from retriever.api.board import Board
from retriever.api.browse import add_browse
from retriever.api.component import add_component
from retriever.api.corpus import add_corpus
from retriever.api.feedback import Note, add_feedback
from retriever.api.guard import Guard
from retriever.api.machines import add_machines
from retriever.api.origins import Origins
from retriever.api.pages import add_pages
from retriever.api.problems import add_problem_handlers, problems_of
from retriever.api.reading import Reading
from retriever.api.replies import json_of
from retriever.api.requests import AskQuery, AskRequest
from retriever.api.service import Service
from retriever.api.threads import Threads
from retriever.defaults import DEFAULT_QUEUE
from retriever.feedback import Asked, Feedback, QuestionLog
from retriever.search import Searcher
from retriever.types import Answer, Manifest
from retriever.web.site import PLAIN, Site


def create_app(
    open_searcher: Callable[[], Searcher],
    *,
    site: Site = PLAIN,
    k: int,
    max_body: int,
    queue: int = DEFAULT_QUEUE,
    threads: int = 2,
    origins: Sequence[str] = (),
    patience: float = 0,
    wanted: Callable[[], str | None] = lambda: None,
    feedback: Feedback | None = None,
    log_questions: bool = False,
    admin: Admin | None = None,
    board: Board | None = None,
) -> FastAPI:
    """Return the application.

    `open_searcher` is called in the background when it starts, and again whenever `wanted` tells another snapshot's id.
    Questions are answered on `threads` threads; `queue` are taken at once, the others told to come again. It takes no
    request for as long as the index is being opened, but at most for `patience` seconds. Pages of the sites `origins`
    may ask from where they are. `site` is what the owner made of the page. `feedback` keeps what askers say of answers,
    and with `log_questions` what they ask. `admin` is what its owner may do over HTTP. `board` is shared with other
    workers, if there are any.
    """
    board = board or Board()
    service = Service(open_searcher, wanted)
    log = QuestionLog(feedback.note) if feedback and log_questions else None
    answering = Threads(threads)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        answering.start()
        service.start()
        if log:
            log.start()
        if patience:
            await to_thread.run_sync(service.tried.wait, patience)
        yield
        answering.stop()
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
        # What is asked is the asker's; and for every request FastAPI would look whether somebody listens.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    answer = _answer_of(service, k, note)
    app.add_middleware(Asking, answer=answer, threads=answering, board=board)
    app.add_middleware(Guard, max_body=max_body, queue=queue, board=board)
    if origins:  # outside of the guard, so that a page may read why it was refused
        app.add_middleware(Origins, origins=origins)
    add_problem_handlers(app)
    _add_ask(app, answer)
    _add_health(app, service)
    add_corpus(app, service)
    reading = Reading(service, site)
    add_browse(app, reading)
    add_machines(app, reading, service, site)
    add_pages(app, service, site, k, note, feedback=feedback is not None)
    add_feedback(app, service, feedback)
    if admin:
        add_admin(app, admin)
    add_component(app, site.languages, site.spoken().code)
    _add_docs(app)
    return app


_Answer = Callable[[AskRequest | AskQuery], bytes]


def _answer_of(service: Service, default_k: int, note: Note) -> _Answer:
    """Return what makes the JSON that answers a question."""

    def answer(asked: AskRequest | AskQuery) -> bytes:
        typed = isinstance(asked, AskQuery)  # a search box may ask by address while its reader types
        question, filters = (asked.q, asked) if isinstance(asked, AskQuery) else (asked.question, asked.filters)
        with service.lease() as served:
            found = served.searcher.ask(
                question,
                asked.k or default_k,
                filters.to_filters(),
                explain=asked.explain,
                min_confidence=asked.min_confidence,
                correct=asked.correct,
            )
        note(found, typed=typed)
        return msgspec.json.encode(found)

    return answer


def _add_ask(app: FastAPI, answer: _Answer) -> None:
    # Plain `def`: encoding and searching block, so they run on FastAPI's threads. `Asking` comes first where it can.
    @app.post(
        "/ask",
        response_model=Answer,
        responses=problems_of(400, 413, 415, 422, 503),
        tags=["ask"],
        summary="Ask a question",
    )
    def ask(asked: AskRequest) -> Response:
        return Response(answer(asked), media_type="application/json")

    @app.get(
        "/ask",
        response_model=Answer,
        responses=problems_of(422, 503),
        tags=["ask"],
        summary="Ask a question by its address",
    )
    def ask_by_address(asked: Annotated[AskQuery, Query()]) -> Response:
        return Response(answer(asked), media_type="application/json")


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", tags=["health"], summary="Is the server up?")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", responses=problems_of(503), tags=["health"], summary="Is a snapshot open?")
    async def readyz() -> dict[str, str]:
        with service.lease() as served:
            ready = {"status": "ready", "snapshot": served.manifest.id}
        # The old snapshot serves on where the new one cannot be opened, and its owner must hear of it.
        return ready | ({"problem": service.problem} if service.problem else {})

    @app.get("/info", response_model=Manifest, responses=problems_of(503), tags=["health"], summary="What is served?")
    async def info() -> Response:
        with service.lease() as served:
            return json_of(served.manifest)


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
