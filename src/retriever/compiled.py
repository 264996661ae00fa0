"""The functions of `rows.c`, where retriever was installed with a C compiler: without one, numpy gives the same."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from retriever.errors import RetrieverError

_POINTER, _INT = ctypes.c_void_p, ctypes.c_int64


@cache
def library() -> Any:
    """Return what `rows.c` was compiled to; None where it was not."""
    paths = (Path(__file__).with_name(f"rows_c{suffix}") for suffix in EXTENSION_SUFFIXES)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    library = ctypes.CDLL(str(path))
    wanted = "retriever_compare_entries" if library.retriever_rows_width() else "retriever_add_columns"
    if not hasattr(library, wanted):
        raise RetrieverError(f"{path} was compiled from an older rows.c", mend="Install retriever again.")
    library.retriever_add_columns.argtypes = (_POINTER, _POINTER, _POINTER, _INT, _POINTER)
    library.retriever_add_columns.restype = None
    library.retriever_rows_width.restype = _INT
    if library.retriever_rows_width():
        library.retriever_round_rows.argtypes = (_POINTER, _INT, _INT, _POINTER, _POINTER)
        library.retriever_round_rows.restype = None
        library.retriever_best_rows.argtypes = (_POINTER, _POINTER, _POINTER, _INT, _INT, _POINTER, _POINTER)
        library.retriever_best_rows.restype = None
        library.retriever_compare_entries.argtypes = (
            *(_POINTER, _INT, _POINTER, _POINTER),  # vectors and how wide they are, where rows begin, how many ask
            *(_POINTER, _INT, _POINTER),  # ordinals, how many, the vector of a question
            *(_POINTER, _POINTER),  # what is given: products, nearest
        )
        library.retriever_compare_entries.restype = None
    return library


def why_not() -> str | None:
    """Return why vectors are not compared by `rows.c` here; None if they are."""
    compiled = library()
    if compiled is None:
        return "no C compiler was found when retriever was installed"
    return None if compiled.retriever_rows_width() else "this processor has no AVX-512 VNNI"


def library_for(width: int) -> Any:
    """Return the library, if it compares vectors of `width` numbers here; else None."""
    compiled = library()
    return compiled if compiled and not width % _NUMBERS and width <= compiled.retriever_rows_width() else None


_NUMBERS = 64  # rows.c takes so many at once
