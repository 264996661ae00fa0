"""Routes of one JSON body: checked by Pydantic from its bytes, and answered on a thread, with nothing in between."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool


class BodyRoute(APIRoute):
    """A route whose function takes its body and nothing else, and returns a response.

    FastAPI's own way is taken where the body is refused, so that it says what is wrong, and shows it in the docs.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        usual = super().get_route_handler()
        (field,) = self.dependant.body_params
        model: Any = field.field_info.annotation

        async def handle(request: Request) -> Response:
            try:
                body = model.model_validate_json(await request.body())
            except ValidationError:
                return await usual(request)
            return await run_in_threadpool(self.endpoint, body)

        return handle
