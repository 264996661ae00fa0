"""A mapping of names to values (a JSON object, a row of a table, front matter) → a draft."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any, cast, get_args

from retriever.readers.drafts import Draft, Flaw, Markup, clean, one_line
from retriever.types import CATEGORY, EntryKind

# What each field is called in the wild; the first that is present counts. `title` and `text` are BEIR's names.
NAMES: dict[str, tuple[str, ...]] = {
    "id": ("_id", "id"),
    "question": ("question", "q", "faq", "prompt", "frage", "title"),
    "answer": ("answer", "a", "reply", "response", "antwort", "text"),
    "alternates": ("alternates", "alternate_questions", "alt_questions", "variants"),
    "tags": ("tags", "tag", "category", "categories"),
    "url": ("url", "link"),
    "lang": ("lang", "language"),
    "anchor": ("anchor",),
    "title": ("title", "page_title"),
    "answer_format": ("answer_format",),
    "owner": ("owner",),
    "reviewed": ("reviewed", "last_reviewed"),
    "valid_from": ("valid_from",),
    "valid_until": ("valid_until", "expires"),
    "pin_for": ("pin_for",),
}
# These may also stand inside `metadata`, which keeps them as well.
_ALSO_IN_METADATA = ("alternates", "tags", "url", "lang")
_CATEGORIES = (CATEGORY, "categories")
MAX_ID_CHARS = 200
MAX_DEPTH = 20
MAX_INTEGER = 2**63  # what JSON's readers agree on, msgspec's among them
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_TIMED = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_LANG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")


def draft_of(record: Mapping[str, Any], line: int | None, markup: Markup = "auto") -> Draft:
    """Return the record's draft; raises Flaw naming the field that cannot be taken."""
    fields, rest = _sort(record)
    named = isinstance(rest.get("kind"), str) and rest["kind"] in {"faq", "page"}
    kind: EntryKind = rest.pop("kind") if named else "faq"
    inner = rest.pop("metadata", None)
    if inner is not None and not isinstance(inner, dict):
        rest["metadata"], inner = inner, None
    metadata = check(rest | (inner or {}), "metadata")
    beside = _sort(inner or {})[0]
    for name in _ALSO_IN_METADATA:
        if fields.get(name) in (None, "", []):
            fields[name] = beside.get(name)
    return Draft(
        question=_text(fields, "question", flat=True) or "",
        answer=_answer(fields),
        line=line,
        markup=_markup(fields, markup),
        id=_id(fields.get("id")),
        alternates=tuple(one_line(text) for text in _texts(fields, "alternates")),
        url=_url(fields),
        anchor=(_text(fields, "anchor", flat=True) or "").lstrip("#") or None,
        title=_text(fields, "title", flat=True) or None,
        tags=tuple(one_line(part) for text in _texts(fields, "tags") for part in re.split("[,;|\n]", text)),
        lang=_lang(fields),
        metadata=metadata,
        kind=kind,
        owner=_text(fields, "owner", flat=True) or None,
        reviewed=_date(fields, "reviewed"),
        valid_from=_date(fields, "valid_from"),
        valid_until=_date(fields, "valid_until"),
        pin_for=tuple(filter(None, (one_line(text) for text in _texts(fields, "pin_for")))),
    )


def key_of(name: str) -> str:
    """Return a field's name without regard to case, blanks and dashes."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def check(value: Any, name: str, depth: int = 0) -> Any:
    """Return `value` if JSON can hold it and give it back; raises Flaw naming the part that it cannot hold."""
    if depth > MAX_DEPTH:
        raise Flaw(f"{name[:100]}: nested over {MAX_DEPTH} levels deep")
    if isinstance(value, str):
        return check_text(value, name)
    if isinstance(value, dict):
        return {
            check_text(str(key), f"a key of {name}"): check(item, f"{name}.{key!s:.50}", depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [check(item, f"{name}[{number}]", depth + 1) for number, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise Flaw(f"{name}: NaN, Infinity and numbers beyond a float's range are not JSON")
    if isinstance(value, int) and not -MAX_INTEGER <= value < 2 * MAX_INTEGER:
        raise Flaw(f"{name}: a number over 64 bits: write it as a string")
    if value is None or isinstance(value, int | float):
        return value
    raise Flaw(f"{name}: {type(value).__name__} is not a value that is kept: write it as a string")


def check_text(text: str, name: str) -> str:
    """Return `text` if UTF-8 can hold it; half of a surrogate pair is no character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        printable = name.encode("utf-8", "backslashreplace").decode()
        raise Flaw(f"{printable}: \\u{ord(text[error.start]):04x} is half a character (a lone surrogate)") from error
    return text


def _sort(record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that are known, by our names, and all the rest, by its own."""
    by_key = {key_of(name): name for name in reversed(list(record))}
    fields: dict[str, Any] = {}
    used: set[str] = set()
    for field, names in NAMES.items():
        present = [by_key[name] for name in names if name in by_key and by_key[name] not in used]
        filled = [name for name in present if record[name] not in (None, "", [])]
        if present:
            chosen = (filled or present)[0]
            fields[field] = record[chosen]
            used.add(chosen)
    rest = {name: value for name, value in record.items() if name not in used}
    # A category is a tag, and what entries are browsed by.
    named = [record[name] for name in used if key_of(name) in _CATEGORIES and record[name]]
    return fields, rest | ({CATEGORY: named[0]} if named else {})


def _text(fields: Mapping[str, Any], name: str, *, flat: bool = False) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Flaw(f"{name}: should be a text, not {_kind(value)}")
    check_text(value, name)
    return one_line(value) if flat else clean(value)


def _texts(fields: Mapping[str, Any], name: str) -> list[str]:
    """Return a text or a list of texts as a list; numbers among them are written out."""
    value = fields.get(name)
    values = value if isinstance(value, list) else [] if value is None else [value]
    for item in values:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise Flaw(f"{name}: should be a text or a list of texts, not {_kind(item)}")
    return [check_text(str(check(item, name)), name) for item in values]


def _answer(fields: Mapping[str, Any]) -> str:
    if isinstance(fields.get("answer"), list):
        return "\n\n".join(clean(text) for text in _texts(fields, "answer"))
    return _text(fields, "answer") or ""


def _markup(fields: Mapping[str, Any], default: Markup) -> Markup:
    value = _text(fields, "answer_format", flat=True)
    if not value:
        return default
    if value not in get_args(Markup):
        raise Flaw(f"answer_format: `{value[:50]}` should be text, markdown or html")
    return cast("Markup", value)


def _id(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Flaw(f"_id: should be a text or a whole number, not {_kind(value)}")
    text = check_text(str(check(value, "_id")), "_id")
    if not text.strip():
        raise Flaw("_id: is empty: fill it, or leave the field out")
    if len(text) > MAX_ID_CHARS:
        raise Flaw(f"_id: has {len(text):,} characters, at most {MAX_ID_CHARS} are taken")
    if any(unicodedata.category(char) in {"Cc", "Zl", "Zp"} for char in text):
        raise Flaw("_id: has a control character")
    return text


def _url(fields: Mapping[str, Any]) -> str | None:
    """Return the address, which pages will link to: never `javascript:`, however it is spelt."""
    url = _text(fields, "url")
    if not url:
        return None
    if re.search(r"\s", url):
        raise Flaw("url: has white space inside")
    scheme = _SCHEME.match(url)
    if scheme and scheme[1].casefold() not in {"http", "https"}:
        raise Flaw(f"url: should begin with http:// or https://, not `{scheme[1][:20]}:`")
    return url


def _date(fields: Mapping[str, Any], name: str) -> date | None:
    """Return a day; a time of day behind it, as spreadsheets have it, is not kept."""
    text = _text(fields, name, flat=True)
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10] if _TIMED.match(text) else text)
    except ValueError as error:
        raise Flaw(f"{name}: `{text[:50]}` is not a date such as 2026-03-31") from error


def _lang(fields: Mapping[str, Any]) -> str | None:
    lang = _text(fields, "lang", flat=True)
    if lang and not _LANG.fullmatch(lang):
        raise Flaw(f"lang: `{lang[:50]}` is not a language code such as en or pt-BR")
    return lang or None


def _kind(value: Any) -> str:
    kinds = {"dict": "an object", "list": "a list", "bool": "true or false", "NoneType": "null"}
    return kinds.get(
        type(value).__name__, "a number" if isinstance(value, int | float) else f"a {type(value).__name__}"
    )
