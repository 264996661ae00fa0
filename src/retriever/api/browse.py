"""The pages that are read without a question. They change with the snapshot and the day, and are sent once each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import date

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

import retriever
from retriever.api.problems import problem
from retriever.api.service import NotReadyError, Served, Service
from retriever.api.site import language_of, page_headers
from retriever.web.assets import HERE
from retriever.web.browse import PER_PAGE, Frame, page_count, render_absent, render_browse, render_entry, render_section
from retriever.web.contents import BROWSE, Contents, Kept, Section
from retriever.web.site import Site

_RELATED = 5

Render = Callable[[Served, Contents, Frame], str | None]


def add_browse(app: FastAPI, service: Service, site: Site) -> None:
    """Add the routes to `app`, and a page for what is not there."""
    reading = _Reading(service, site)

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


class _Reading:
    """Answers with a page, once for as long as a browser's own copy holds."""

    def __init__(self, service: Service, site: Site) -> None:
        self._service = service
        self._site = site
        self._kept = Kept()
        self._edition = _edition(site)

    def reply(self, request: Request, render: Render, query: str | None = None) -> Response:
        """Return what `render` makes of what is served; where that is nothing, the page that says so."""
        language = language_of(request, self._site)
        headers = page_headers(self._site) | {"Cache-Control": "no-cache"}
        try:
            with self._service.lease() as served:
                snapshot = served.manifest.id
                headers["ETag"] = f'W/"{snapshot}-{date.today()}-{language.code}-{self._edition}"'
                if headers["ETag"] in request.headers.get("if-none-match", ""):
                    return Response(status_code=304, headers=headers)
                frame = Frame(self._site, language, served.manifest.counts.entries, snapshot)
                html = render(served, self._kept.of(served.searcher), frame)
        except NotReadyError:
            html = render_absent(Frame(self._site, language), language.t("absent.closed"))
            return HTMLResponse(html, 503, headers=page_headers(self._site) | {"Retry-After": "5"})
        return self.absent(request, query) if html is None else HTMLResponse(html, headers=headers)

    def absent(self, request: Request, query: str | None = None) -> Response:
        """Return the page that says that there is nothing; `query` is what an entry's id was made of."""
        language = language_of(request, self._site)
        said = language.t("absent.page") if query is None else language.t("absent.entry")
        html = render_absent(Frame(self._site, language), said, query or "")
        return HTMLResponse(html, 404, headers=page_headers(self._site) | {"X-Robots-Tag": "noindex"})

    def not_found(self, request: Request, error: Exception) -> Response:
        """Return the page for who looks for one, and a problem for everybody else."""
        if "text/html" in request.headers.get("accept", "") and request.method in {"GET", "HEAD"}:
            return self.absent(request)
        return problem(404, str(error.detail) if isinstance(error, HTTPException) else "Not Found")


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


def _edition(site: Site) -> str:
    """Return a few digits that change with all that makes a page but what is served."""
    digest = hashlib.sha256(f"{retriever.__version__} {site.title} {site.public_url}".encode())
    for path in sorted((HERE / "templates").iterdir()):
        digest.update(path.read_bytes())
    for language in site.languages.values():
        digest.update(repr(sorted(language.texts.items())).encode())
    for name in ("page.css", "browse.css", "icon.svg"):
        digest.update(site.url_of(name).encode())
    for asset in site.files.values():
        digest.update(asset.url.encode())
    return digest.hexdigest()[:8]
