"""The page for people: the search, and its results as they are typed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from retriever.api.feedback import Note
from retriever.api.service import NotReadyError, Served, Service
from retriever.api.site import add_site_files, language_of, page_headers
from retriever.errors import InputError
from retriever.types import CATEGORY, Answer, Facets, Filters, Related
from retriever.web.language import Language
from retriever.web.page import render_page, render_results, say_error
from retriever.web.panels import Choice
from retriever.web.site import Site

_RELATED = 4
_NO_FACETS = Facets()


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of an address: what is served and how many entries can be found, the answer or else what is wrong.

    `status` says which of the two.
    """

    served: Served | None = None
    entries: int | None = None
    answer: Answer | None = None
    related: tuple[Related, ...] = ()
    facets: Facets = _NO_FACETS
    error: str | None = None
    status: int = 200


def add_pages(app: FastAPI, service: Service, site: Site, default_k: int, note: Note, *, feedback: bool) -> None:
    """Add the routes to `app`."""

    @app.head("/", include_in_schema=False)
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page(request: Request, q: str = "") -> Response:
        k, choice = _whole(request.query_params.get("k"), default_k), choice_of(request)
        language = language_of(request, site)
        outcome = _outcome(service, q, k, choice, note, language)
        served = outcome.served
        html = render_page(
            title=site.named(language),
            query=q,
            answer=outcome.answer,
            error=outcome.error,
            k=k if "k" in request.query_params else None,
            examples=served.examples if served else (),
            entries=outcome.entries,
            snapshot=served.manifest.id if served else None,
            choice=choice,
            facets=outcome.facets,
            related=outcome.related,
            feedback=feedback,
            language=language,
            site=site,
        )
        return HTMLResponse(html, outcome.status, headers=page_headers(site))

    @app.get("/results", response_class=HTMLResponse, include_in_schema=False)
    def results(request: Request, q: str = "") -> Response:
        k, choice = _whole(request.query_params.get("k"), default_k), choice_of(request)
        language = language_of(request, site)
        outcome = _outcome(service, q, k, choice, note, language)
        html = render_results(
            outcome.answer,
            q,
            outcome.error,
            choice=choice,
            facets=outcome.facets,
            related=outcome.related,
            feedback=feedback,
            language=language,
        )
        return HTMLResponse(html, outcome.status, headers=page_headers(site) | {"X-Robots-Tag": "noindex"})

    add_site_files(app, site)


def choice_of(request: Request) -> Choice:
    """Return what an address of the page chooses beside the question."""
    given = request.query_params
    return Choice(tuple(given.getlist("tag")), tuple(given.getlist("category")), given.get("exact") == "1")


def filters_of(choice: Choice) -> Filters:
    """Return the same as the noun that searches take."""
    return Filters(tags=choice.tags, metadata={CATEGORY: choice.categories} if choice.categories else {})


def _outcome(service: Service, query: str, k: int, choice: Choice, note: Note, language: Language) -> _Outcome:
    try:
        with service.lease() as served:
            facets, entries = served.searcher.facets(), served.searcher.count()
            if not query.strip():
                return _Outcome(served, entries, facets=facets)
            try:
                answer = served.searcher.ask(query, k, filters_of(choice), explain=True, correct=not choice.exact)
            except InputError as error:
                return _Outcome(served, entries, facets=facets, error=say_error(error, query, language), status=422)
            note(answer, typed=True)
            return _Outcome(served, entries, answer, _related(served, answer), facets)
    except NotReadyError:
        if not query.strip():
            return _Outcome()
        return _Outcome(error=language.t("error.starting"), status=503)


def _related(served: Served, answer: Answer) -> tuple[Related, ...]:
    """Return what is related to the first hit of an answer and is no hit itself."""
    if not answer.answered:
        return ()
    shown = {hit.entry_id for hit in answer.hits} | {hit.question for hit in answer.hits}
    near = served.searcher.related(answer.hits[0].entry_id, _RELATED + len(answer.hits))
    return tuple(found for found in near if found.entry_id not in shown and found.question not in shown)[:_RELATED]


def _whole(text: str | None, default: int) -> int:
    """Return a page's `k`; one that is not a number is a slip in an address, and not worth an error."""
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,4}", text) else default
