"""What is the owner's about every page: its files, and the language that a request is answered in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import FastAPI, Request, Response

from retriever.web.assets import CSP, OWN, Asset
from retriever.web.language import Language
from retriever.web.site import AUTO, Site

FOREVER = "public, max-age=31536000, immutable"
"""How long what has an address that changes with it may be kept."""


def add_site_files(app: FastAPI, site: Site) -> None:
    """Serve the page's own files, and the owner's, which stand in for those of the same name.

    From memory: they are small, and reading them takes a thread, for which all would wait that are busy with questions.
    """
    for asset in {**OWN, **site.files}.values():
        app.add_route(f"/static/{asset.name}", _serving(asset), include_in_schema=False)


def unless_known(
    request: Request, data: bytes | str, media_type: str, tag: str, headers: Mapping[str, str]
) -> Response:
    """Return `data` with its entity tag; 304 and nothing where the client says that it has it."""
    headers = {**headers, "ETag": tag}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if known & {tag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=media_type, headers=headers)


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

    async def serve(request: Request) -> Response:
        return unless_known(request, asset.data, asset.media_type, asset.tag, headers)

    return serve
