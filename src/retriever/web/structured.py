"""Entries as schema.org's FAQPage, for search engines, in a block of JSON-LD."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from retriever.types import Entry
from retriever.web.contents import entry_url


def faq_page(entries: Iterable[Entry], public_url: str | None) -> str:
    """Return the JSON of a FAQPage; empty where there is no entry.

    Nothing in it can end the element that it stands in. With a `public_url`, each question has its address.
    """
    questions = [_question(entry, public_url) for entry in entries]
    if not questions:
        return ""
    page = {"@context": "https://schema.org", "@type": "FAQPage", "mainEntity": questions}
    text = json.dumps(page, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _question(entry: Entry, public_url: str | None) -> dict[str, Any]:
    answer = {"@type": "Answer", "text": "\n".join(paragraph.html for paragraph in entry.answer)}
    question = {"@type": "Question", "name": entry.question, "inLanguage": entry.lang, "acceptedAnswer": answer}
    return question | ({"url": public_url + entry_url(entry.id)} if public_url else {})
