"""What is read without a question is made once for as long as a browser's own copy holds: a snapshot and a day."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

import retriever
from retriever.api.problems import problem
from retriever.api.service import NotReadyError, Served, Service
from retriever.api.site import language_of, page_headers
from retriever.web.assets import HERE
from retriever.web.browse import Frame, render_absent
from retriever.web.contents import Contents, Kept
from retriever.web.site import Site

Render = Callable[[Served, Contents, Frame], str | None]
"""Makes what is to be sent; None where there is no such thing."""


class Reading:
    """Answers with a page, once for as long as a browser's own copy holds."""

    def __init__(self, service: Service, site: Site) -> None:
        self._service = service
        self._site = site
        self._kept = Kept()
        self._edition = _edition(site)

    def reply(
        self, request: Request, render: Render, query: str | None = None, media_type: str = "text/html"
    ) -> Response:
        """Return what `render` makes of what is served; where that is nothing, the page that says so.

        `query` is what may be searched for then.
        """
        language = language_of(request, self._site)
        headers = page_headers(self._site) | {"Cache-Control": "no-cache"}
        try:
            with self._service.lease() as served:
                contents = self._kept.of(served.searcher)
                snapshot, found = served.manifest.id, len(contents.places)
                headers["ETag"] = f'W/"{snapshot}-{date.today()}-{found}-{language.code}-{self._edition}"'
                if headers["ETag"] in request.headers.get("if-none-match", ""):
                    return Response(status_code=304, headers=headers)
                frame = Frame(self._site, language, served.searcher.count(), snapshot)
                html = render(served, contents, frame)
        except NotReadyError:
            html = render_absent(Frame(self._site, language), language.t("absent.closed"))
            return HTMLResponse(html, 503, headers=page_headers(self._site) | {"Retry-After": "5"})
        return self.absent(request, query) if html is None else Response(html, headers=headers, media_type=media_type)

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
