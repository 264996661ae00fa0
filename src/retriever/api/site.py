"""What is the owner's about every page: its files, and the language that a request is answered in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response

from retriever.web.assets import CSP, Asset
from retriever.web.language import Language
from retriever.web.site import AUTO, Site

FOREVER = "public, max-age=31536000, immutable"
"""How long what has an address that changes with it may be kept."""


def add_site_files(app: FastAPI, site: Site) -> None:
    """Serve the owner's files, which stand in for the page's own of the same name."""
    for asset in site.files.values():
        app.add_route(f"/static/{asset.name}", _serving(asset), include_in_schema=False)


def language_of(request: Request, site: Site) -> Language:
    """Return the language to answer in."""
    return site.spoken(request.headers.get("accept-language", ""))


def page_headers(site: Site) -> dict[str, str]:
    """Return what every page is sent with."""
    headers = {"Content-Security-Policy": CSP}
    if site.language == AUTO:
        headers["Vary"] = "Accept-Language"
    if not site.indexed:
        headers["X-Robots-Tag"] = "noindex"
    return headers


def _serving(asset: Asset) -> Callable[[Request], Awaitable[Response]]:
    headers = {"Cache-Control": FOREVER, "Content-Security-Policy": asset.csp}

    async def serve(_request: Request) -> Response:
        return Response(asset.data, media_type=asset.media_type, headers=headers)

    return serve
