"""The HTTP door: `/ask`, the page, health, and OpenAPI docs."""

from retriever.api.app import create_app

__all__ = ["create_app"]
