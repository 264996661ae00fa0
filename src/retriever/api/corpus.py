"""What the index holds, without an answer: suggestions while somebody types, categories and tags, and entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import FastAPI, Query, Response

from retriever.api.problems import problem, problems_of
from retriever.api.replies import json_of
from retriever.api.requests import ListQuery, SuggestQuery
from retriever.api.service import Service
from retriever.types import Entry, Facets, Listing, Related, Suggestions

_RELATED = 5


@dataclass(frozen=True, slots=True)
class Found:
    """An entry, and other entries whose questions are near to its own."""

    entry: Entry
    related: tuple[Related, ...]
    snapshot: str


def add_corpus(app: FastAPI, service: Service) -> None:
    """Add the routes to `app`."""

    @app.get(
        "/suggest",
        response_model=Suggestions,
        responses=problems_of(422, 503),
        tags=["ask"],
        summary="Questions that may be meant by what was typed so far",
    )
    def suggest(typed: Annotated[SuggestQuery, Query()]) -> Response:
        with service.lease() as served:
            return json_of(served.searcher.suggest(typed.q, typed.k, typed.to_filters()))

    @app.get(
        "/facets",
        response_model=Facets,
        responses=problems_of(503),
        tags=["entries"],
        summary="Categories and tags, with how many entries carry each",
    )
    def facets() -> Response:
        with service.lease() as served:
            return json_of(served.searcher.facets())

    @app.get(
        "/entries",
        response_model=Listing,
        responses=problems_of(422, 503),
        tags=["entries"],
        summary="Entries, in the order of their files",
    )
    def entries(asked: Annotated[ListQuery, Query()]) -> Response:
        with service.lease() as served:
            return json_of(served.searcher.listing(filters=asked.to_filters(), start=asked.start, count=asked.count))

    # An id is its owner's, and may have a slash in it.
    @app.get(
        "/entries/{entry_id:path}",
        response_model=Found,
        responses=problems_of(404, 503),
        tags=["entries"],
        summary="One entry, and what is related to it",
    )
    def entry(entry_id: str) -> Response:
        with service.lease() as served:
            found = served.searcher.find(entry_id)
            if found is None:
                return problem(404, "There is no entry of this id, or it does not hold today.")
            related = served.searcher.related(entry_id, _RELATED)
            return json_of(Found(found, related, served.manifest.id))
