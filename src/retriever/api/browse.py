"""The pages that are read without a question. They change with the snapshot and the day, and are sent once each."""

from __future__ import annotations

import re
from datetime import date

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from retriever.api.reading import Reading
from retriever.api.service import Served
from retriever.web.browse import PER_PAGE, Frame, page_count, render_browse, render_entry, render_section
from retriever.web.contents import BROWSE, Contents, Section

_RELATED = 5


def add_browse(app: FastAPI, reading: Reading) -> None:
    """Add the routes to `app`, and a page for what is not there."""

    @app.head(BROWSE, include_in_schema=False)
    @app.get(BROWSE, response_class=HTMLResponse, include_in_schema=False)
    def browse(request: Request, file: str | None = None) -> Response:
        number = _number(request)

        def render(served: Served, contents: Contents, frame: Frame) -> str | None:
            if file is None:
                return render_browse(frame, contents, number)
            return _section(served, contents.file(file), number, frame)

        return reading.reply(request, render)

    # A name may have a slash in it, as an id may.
    @app.head(BROWSE + "/{category:path}", include_in_schema=False)
    @app.get(BROWSE + "/{category:path}", response_class=HTMLResponse, include_in_schema=False)
    def browse_category(request: Request, category: str) -> Response:
        def render(served: Served, contents: Contents, frame: Frame) -> str | None:
            return _section(served, contents.category(category), _number(request), frame)

        return reading.reply(request, render)

    @app.head("/entry/{entry_id:path}", include_in_schema=False)
    @app.get("/entry/{entry_id:path}", response_class=HTMLResponse, include_in_schema=False)
    def entry(request: Request, entry_id: str) -> Response:
        def render(served: Served, contents: Contents, frame: Frame) -> str | None:
            found = served.searcher.find(entry_id)
            if found is None or found.kind != "faq":
                return None
            return render_entry(frame, found, contents, served.searcher.related(entry_id, _RELATED), date.today())

        return reading.reply(request, render, _asked(entry_id))

    app.add_exception_handler(404, reading.not_found)


def _section(served: Served, section: Section | None, number: int, frame: Frame) -> str | None:
    """Return a page of a section; None where there is no such section or page."""
    if section is None or not 1 <= number <= page_count(section):
        return None
    start = (number - 1) * PER_PAGE
    found = served.searcher.listing(section.category, filters=section.filters, start=start, count=PER_PAGE)
    return render_section(frame, section, found.entries, number, date.today())


def _number(request: Request) -> int:
    """Return which page of a list is wanted; 0, which there is not, where that is no number."""
    text = request.query_params.get("page", "1")
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _asked(entry_id: str) -> str:
    """Return the words that an id was made of: who followed an old link can search for them."""
    return " ".join(re.sub(r"-[0-9a-f]{8}$", "", entry_id[:200]).replace("-", " ").replace("_", " ").split())
