"""FAQ search: a question in your own words finds the passage that answers it, with an honest score.

    from retriever import Searcher
    answer = Searcher.open("index").ask("How do I reset my password?")

Names are imported when first used, so that `import retriever` loads no model, no FAISS and no web framework.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retriever.errors import RetrieverError
    from retriever.search import Searcher
    from retriever.types import Answer, Entry, Filters, Hit

__version__ = "0.1.0"

_HOMES = {
    "Answer": "retriever.types",
    "Entry": "retriever.types",
    "Filters": "retriever.types",
    "Hit": "retriever.types",
    "RetrieverError": "retriever.errors",
    "Searcher": "retriever.search",
}

__all__ = ["Answer", "Entry", "Filters", "Hit", "RetrieverError", "Searcher", "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'retriever' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
