"""What other programs ask a site for: OpenSearch, llms.txt, robots.txt, sitemap.xml."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from fastapi import FastAPI, Request, Response

from retriever.api.problems import problem
from retriever.api.reading import Reading
from retriever.api.service import Served, Service
from retriever.api.site import language_of, page_headers
from retriever.defaults import DEFAULT_SUGGESTED, MAX_QUESTION
from retriever.web.browse import Frame
from retriever.web.contents import Contents
from retriever.web.machines import DESCRIPTION, SUGGESTIONS, llms_txt, opensearch_xml, robots_txt, sitemap_xml
from retriever.web.site import Site

_PLAIN = "text/plain; charset=utf-8"
_XML = "application/xml"
_A_DAY = 24 * 60 * 60
# What a Host header may be: it is written into what others keep.
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?", re.IGNORECASE)


def add_machines(app: FastAPI, reading: Reading, service: Service, site: Site) -> None:
    """Add the routes to `app`."""

    @app.get("/opensearch.xml", include_in_schema=False)
    def opensearch(request: Request) -> Response:
        language = language_of(request, site)
        return _at(request, site, lambda base: _text(site, opensearch_xml(site, language, base), DESCRIPTION))

    @app.get("/opensearch/suggest", include_in_schema=False)
    def suggest(q: str = "") -> Response:
        with service.lease() as served:
            found = served.searcher.suggest(q[:MAX_QUESTION], DEFAULT_SUGGESTED).suggestions
        return Response(msgspec.json.encode([q, [one.question for one in found]]), media_type=SUGGESTIONS)

    @app.get("/robots.txt", include_in_schema=False)
    def robots(request: Request) -> Response:
        return _at(request, site, lambda base: _text(site, robots_txt(site, base), _PLAIN))

    @app.get("/llms.txt", include_in_schema=False)
    def llms(request: Request) -> Response:
        def reply(base: str) -> Response:
            def render(_served: Served, contents: Contents, frame: Frame) -> str:
                return llms_txt(site, frame.language, contents, base)

            return reading.reply(request, render, media_type=_PLAIN)

        return _at(request, site, reply)

    @app.get("/sitemap.xml", include_in_schema=False)
    def sitemap(request: Request) -> Response:
        def reply(base: str) -> Response:
            def render(_served: Served, contents: Contents, _frame: Frame) -> str | None:
                return sitemap_xml(contents, base, _part(request)) if site.indexed else None

            return reading.reply(request, render, media_type=_XML)

        return _at(request, site, reply)


def _at(request: Request, site: Site, reply: Callable[[str], Response]) -> Response:
    """Return the reply that names where this server is found; only an address that its owner gave is worth keeping."""
    base = base_of(request, site)
    if base is None:
        return problem(400, "The Host header names no host.")
    response = reply(base)
    if not site.public_url:
        response.headers["Cache-Control"] = "no-store"
        if "ETag" in response.headers:
            del response.headers["ETag"]
    return response


def _text(site: Site, text: str, media_type: str) -> Response:
    headers = page_headers(site) | {"Cache-Control": f"public, max-age={_A_DAY}"}
    return Response(text, headers=headers, media_type=media_type)


def _part(request: Request) -> int | None:
    """Return which part of a sitemap is wanted; 0, which there is not, where that is no number."""
    text = request.query_params.get("part")
    return None if text is None else int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0


def base_of(request: Request, site: Site) -> str | None:
    """Return where browsers find this server: the owner's address, or else the request's; None where that is none."""
    if site.public_url:
        return site.public_url
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host.lower()}" if _HOST.fullmatch(host) else None
