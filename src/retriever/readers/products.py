"""Entries as other products write them → records with our names: schema.org's FAQPage, Amazon Kendra's JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retriever.readers.drafts import Flaw

LISTS = ("entries", "faqs", "faq", "questions", "items", "data", "mainEntity", "hasPart", "FaqDocuments")
"""Under what name an object holds its list of entries."""
NAMELESS = {"@context", "@type", "@id", "SchemaVersion"}
"""What says of an object only which form it is in."""

_SCHEMA: dict[str, str] = {
    "identifier": "_id",
    "name": "question",
    "alternateName": "alternates",
    "keywords": "tags",
    "inLanguage": "lang",
    "expires": "valid_until",
}
KENDRA: dict[str, str] = {
    "_question": "question",
    "_answer": "answer",
    "_source_uri": "url",
    "_category": "category",
    "_language_code": "lang",
}
"""What Kendra's reserved names are here."""


def record_of(value: dict[str, Any]) -> dict[str, Any]:
    """Return an entry of a known form with our names; of another form, as it is."""
    kind = value.get("@type")
    if kind == "Question" or "acceptedAnswer" in value:
        return _schema(value)
    if kind == "WebPageElement":
        return _schema(value) | {"kind": "page"}
    if "Attributes" in value or "AccessControlList" in value:
        return _kendra(value)
    return value


def _schema(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema.org Question, with what an export of ours adds to it."""
    record: dict[str, Any] = {_SCHEMA.get(key, key): item for key, item in value.items() if not key.startswith("@")}
    own = record.pop("retriever", {})
    answer = record.pop("acceptedAnswer", None) or record.pop("suggestedAnswer", None)
    if answer is not None:
        record["answer"] = _schema_answer(answer)
    return record | (own if isinstance(own, dict) else {"retriever": own})


def _schema_answer(answer: Any) -> Any:
    """Return the text of an Answer, or of the first of several."""
    if isinstance(answer, list) and answer:
        answer = answer[0]
    if not isinstance(answer, dict) or "text" not in answer:
        raise Flaw("acceptedAnswer: should be an Answer with a text")
    return answer["text"]


def _kendra(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document of a Kendra FAQ; who may see it is kept as metadata, and binds nobody here."""
    record: dict[str, Any] = {key: item for key, item in value.items() if key != "Attributes"}
    return record | attributes(value.get("Attributes") or {})


def attributes(given: Any) -> dict[str, Any]:
    """Return Kendra's attributes with our names for those that it reserves."""
    if not isinstance(given, dict):
        raise Flaw("Attributes: should be an object")
    return {KENDRA.get(str(name), str(name)): value for name, value in given.items()}
