"""What may be asked: the bounds that hold whichever door a question came by."""

from __future__ import annotations

import re

from retriever.defaults import MAX_K, MAX_QUESTION
from retriever.errors import InputError

_SURROGATE = re.compile("[\ud800-\udfff]")


def check_question(question: str) -> None:
    """Raise InputError if `question` is blank, too long or not text."""
    if not question.strip():
        raise InputError("question", "is empty; ask something")
    check_text(question)


def check_text(question: str) -> None:
    """Raise InputError if what was typed is too long or not text."""
    if len(question) > MAX_QUESTION:
        raise InputError("question", f"has {len(question):,} characters; the most is {MAX_QUESTION:,}")
    if _SURROGATE.search(question):
        raise InputError("question", "holds a lone surrogate, which is no character")


def check_k(k: int) -> None:
    """Raise InputError if `k` is not a number of hits that can be asked for."""
    if not 1 <= k <= MAX_K:
        raise InputError("k", f"is {k}; it must be between 1 and {MAX_K}")
