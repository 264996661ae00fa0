"""Which other sites' pages may read replies: those that the owner lists, of what an asker's page needs, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# The page itself, the index's description and whatever is for owners are read by no other site.
_OPEN = frozenset({"/ask", "/suggest", "/facets", "/feedback"})
# Chromium keeps the reply to a preflight no longer than this.
_PREFLIGHT_SECONDS = 7200


class Origins:
    """ASGI middleware: CORS for the paths that a search box on another site asks, without cookies or credentials."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._shared = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            expose_headers=("Retry-After",),
            max_age=_PREFLIGHT_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shared = scope["type"] == "http" and scope["path"] in _OPEN
        await (self._shared if shared else self._app)(scope, receive, send)
