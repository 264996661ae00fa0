"""Questions that a page spells out for machines: schema.org as JSON-LD, and as microdata or RDFa on its own text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bs4 import Tag

from retriever.readers.drafts import Note
from retriever.readers.html.cues import asked
from retriever.readers.html.pairs import Pair
from retriever.readers.html.tree import Page, Span, attribute
from retriever.readers.markup import paragraphs, to_text

MAX_NODES = 100_000
_NAMES = ("name", "text", "headline")
Thing = dict[str, Any]


def data_pairs(page: Page) -> Iterator[Pair | Note]:
    """Yield the questions of every JSON-LD script, and a note for each script that cannot be read."""
    for number in page.named(0, "script"):
        tag = page.tag(number)
        if attribute(tag, "type").split(";")[0].strip().lower() != "application/ld+json":
            continue
        source = "".join(str(child) for child in tag.contents)
        try:
            things = _things(json.loads(_bare(source), strict=False))
        except json.JSONDecodeError as error:
            line = page.line[number] + error.lineno - 1
            yield Note(f"the JSON-LD in line {page.line[number]} is not JSON ({error.msg}, line {line}): not read")
        except (RecursionError, ValueError):
            yield Note(f"the JSON-LD in line {page.line[number]} is nested too deep or holds too much: not read")
        else:
            yield from _questions(things, source, page, number)


def _bare(source: str) -> str:
    """Return JSON without the comment or CDATA marks that old pages put around it."""
    source = source.strip()
    for start, end in (("<!--", "-->"), ("//<![CDATA[", "//]]>"), ("/*<![CDATA[*/", "/*]]>*/"), ("<![CDATA[", "]]>")):
        if source.startswith(start) and source.endswith(end):
            source = source[len(start) : -len(end)].strip()
    return source.rstrip(";")


def _things(value: Any) -> list[Thing]:
    """Return every object in a document, outer ones first, in its order; an object that is there twice by id once."""
    found: list[Thing] = []
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            found.append(value)
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
        if len(found) > MAX_NODES:
            raise ValueError("too many objects")
    return found


def _questions(things: list[Thing], source: str, page: Page, number: int) -> Iterator[Pair | Note]:
    by_id = {thing["@id"]: thing for thing in things if isinstance(thing.get("@id"), str) and len(thing) > 1}
    seen: set[int] = set()
    place, line = 0, page.line[number]
    passed = 0
    for thing in things:
        if not _is(thing, "Question") or id(thing) in seen:
            continue
        seen.add(id(thing))
        name = next((text for key in _NAMES if (text := _string(thing.get(key)))), "")
        if not name and set(thing) <= {"@id", "@type", "url"}:
            continue  # a reference to a question that stands elsewhere
        if (at := source.find(name[:40], place)) >= 0:
            line += source.count("\n", place, at)
            place = at
        answers, left = _answers(thing, by_id)
        passed += left
        url = _string(thing.get("url")) or _string(thing.get("@id"))
        yield Pair(
            form="JSON-LD",
            question=asked(to_text(name)),
            ask=Span(number, number),
            html="\n".join(map(_html, answers)),
            line=line,
            anchor=url.rpartition("#")[2] if "#" in url and not url.endswith("#") else None,
            lang=_string(thing.get("inLanguage")) or None,
        )
    if passed:
        yield Note(f"the JSON-LD in line {page.line[number]} has {passed} more answers that were suggested: not taken")


def _answers(question: Thing, by_id: dict[str, Thing]) -> tuple[list[str], int]:
    """Return the texts of the answers that count, and how many others there are: those accepted, else the best."""
    accepted = _texts(question.get("acceptedAnswer"), by_id)
    suggested = sorted(_texts(question.get("suggestedAnswer"), by_id), key=lambda found: -found[0])
    chosen, left = (accepted, len(suggested)) if accepted else (suggested[:1], len(suggested[1:]))
    return [text for _, text in chosen], left


def _texts(value: Any, by_id: dict[str, Thing]) -> list[tuple[float, str]]:
    """Return each answer's votes and text."""
    found: list[tuple[float, str]] = []
    for item in value if isinstance(value, list) else [value]:
        thing = by_id.get(item["@id"], item) if isinstance(item, dict) and isinstance(item.get("@id"), str) else item
        votes = thing.get("upvoteCount") if isinstance(thing, dict) else 0
        text = _string(thing.get("text") or thing.get("name")) if isinstance(thing, dict) else _string(thing)
        if text:
            found.append((float(votes) if isinstance(votes, int | float) else 0.0, text))
    return found


def _html(text: str) -> str:
    """Return an answer as HTML: it may be that, HTML escaped once more, or plain text."""
    if "<" not in text and "&lt;" in text and "&gt;" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    return "".join(paragraph.html for paragraph in paragraphs(text, "html" if "&" in text else "auto"))


def _string(value: Any) -> str:
    """Return a text, or the first of a list, or the value of a text with its language."""
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("@value", "")
    # Half of a surrogate pair, which JSON can write, is no character.
    return value.encode("utf-8", "replace").decode().strip() if isinstance(value, str) else ""


def _is(thing: Thing, kind: str) -> bool:
    kinds = thing.get("@type")
    return any(_named(name) == kind for name in (kinds if isinstance(kinds, list) else [kinds]))


def _named(name: object) -> str:
    """Return a schema.org name without its vocabulary: `https://schema.org/Question`, `schema:Question`."""
    return name.replace("#", "/").replace(":", "/").rpartition("/")[2] if isinstance(name, str) else ""


def marked_pairs(page: Page) -> Iterator[Pair]:
    """Yield the questions that microdata (`itemprop`) or RDFa (`property`) mark in the page's own text."""
    for number, tag in page.tags():
        if "Question" not in {_named(kind) for kind in _kinds(tag)}:
            continue
        name = next((found for wanted in _NAMES for found in _properties(page, number, wanted)), None)
        answers = (
            list(_properties(page, number, "acceptedAnswer")) or [*_properties(page, number, "suggestedAnswer")][:1]
        )
        if name is None or not answers:
            continue
        texts = [next(_properties(page, answer, "text"), answer) for answer in answers]
        yield Pair(
            form="RDFa" if tag.has_attr("typeof") else "microdata",
            question=asked(attribute(page.tag(name), "content") or page.text(page.span(name))),
            ask=page.span(name),
            nodes=(number,),
            answer=tuple(page.inner(text) for text in texts),
            anchors=(name, number, *answers),
            line=page.line[name],
            html=next((content for text in texts if (content := attribute(page.tag(text), "content"))), None),
        )


def _kinds(tag: Tag) -> list[str]:
    return f"{attribute(tag, 'itemtype')} {attribute(tag, 'typeof')}".split()


def _properties(page: Page, number: int, wanted: str) -> Iterator[int]:
    """Yield the nodes that hold a property of a thing itself, and of no other thing inside it."""
    inside = number + 1
    while inside < page.end[number]:
        node = page.nodes[inside]
        if not isinstance(node, Tag):
            inside += 1
            continue
        names = f"{attribute(node, 'itemprop')} {attribute(node, 'property')}".split()
        if wanted in {_named(name) for name in names}:
            yield inside
        inside = page.end[inside] if _kinds(node) else inside + 1
