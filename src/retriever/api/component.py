"""`/faq-search.js`: the search box for other sites' pages, at an address that stays."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response

from retriever.api.site import unless_known
from retriever.web.component import render_component
from retriever.web.language import Language

_HEADERS = {
    "Cache-Control": "public, max-age=3600",
    # A script without secrets, the same for everybody: it loads on every site, and there says whether it may ask.
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


def add_component(app: FastAPI, languages: Mapping[str, Language], language: str) -> None:
    """Add the route to `app`; the box speaks the page's language where it is one of `languages`, or else `language`."""
    script, tag = render_component(languages, language)

    @app.head("/faq-search.js", include_in_schema=False)
    @app.get("/faq-search.js", include_in_schema=False)
    async def component(request: Request) -> Response:
        return unless_known(request, script, "text/javascript", tag, _HEADERS)
