"""A noun as a reply."""

from __future__ import annotations

import msgspec
from fastapi import Response


def json_of(value: object) -> Response:
    """Return `value` as JSON: msgspec writes nouns in a tenth of the time that FastAPI takes."""
    return Response(msgspec.json.encode(value), media_type="application/json")
