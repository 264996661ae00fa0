"""Questions in definition lists and in the columns of tables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from retriever.readers.html.cues import asked, asks, is_answer_mark, is_question_mark
from retriever.readers.html.folded import CONTEXT
from retriever.readers.html.pairs import Pair
from retriever.readers.html.tree import Page, attribute, listed, words

_QUESTIONS = listed("question questions q faq query frage fragen vraag pregunta domanda pergunta problem issue")
_ANSWERS = listed(
    "answer answers a response reply solution antwort antworten antwoord réponse respuesta risposta resposta fix"
)
_MAX_ROWSPAN = 500
_MAX_COLUMNS = 50


def term_pairs(page: Page) -> Iterator[Pair]:
    """Yield the terms of each `<dl>`: the first asks, others before the same definition ask the same another way."""
    for number in page.named(0, "dl"):
        if page.gone[number]:
            continue
        groups = [group for group in _groups(page, number) if page.size(page.span(group[0][0]))]
        asking = sum(asks(asked(page.text(page.span(terms[0])))) for terms, _ in groups)
        near = (words(page.tag(up)) for up in [number, *list(page.above(number))[:3]])
        weak = 2 * asking < len(groups) and not any(CONTEXT & names for names in near)
        for terms, definitions in groups:
            questions = [text for term in terms if (text := asked(page.text(page.span(term))))]
            if questions:
                yield Pair(
                    "dl",
                    questions[0],
                    page.span(terms[0]),
                    tuple(page.inner(definition) for definition in definitions),
                    nodes=(*terms, *definitions),
                    anchors=(*terms, *definitions),
                    alternates=tuple(questions[1:]),
                    line=page.line[terms[0]],
                    weak=weak,
                )


def _groups(page: Page, number: int) -> Iterator[tuple[list[int], list[int]]]:
    terms: list[int] = []
    definitions: list[int] = []
    for child in _terms(page, number):
        if page.tag(child).name == "dt":
            if definitions:
                yield terms, definitions
                terms, definitions = [], []
            terms.append(child)
        elif terms:
            definitions.append(child)
    if terms:
        yield terms, definitions


def _terms(page: Page, number: int) -> Iterator[int]:
    """Yield the terms and definitions of a list; a `<div>` or the like may hold a group of them."""
    for child in page.children(number):
        if page.tag(child).name in {"dt", "dd"}:
            yield child
        elif page.tag(child).name in {"div", "section", "li", "article"}:
            yield from (inner for inner in page.children(child) if page.tag(inner).name in {"dt", "dd"})


def table_pairs(page: Page) -> Iterator[Pair]:
    """Yield the rows of tables with a column of questions and one of answers, and of those with `Q` and `A` rows."""
    for number in page.named(0, "table"):
        if page.gone[number] or page.holds(number, {"table"}):
            continue
        rows = _rows(page, number)
        if columns := _columns(page, rows):
            yield from _by_columns(page, rows, *columns)
        else:
            yield from _by_rows(page, rows)


def _rows(page: Page, number: int) -> list[list[int]]:
    """Return the rows' cells; a cell over several rows is in each of them."""
    rows: list[list[int]] = []
    over: dict[int, tuple[int, int]] = {}
    for row in page.named(number, "tr"):
        cells = iter([cell for cell in page.children(row) if page.tag(cell).name in {"td", "th"}])
        found: list[int] = []
        while len(found) < _MAX_COLUMNS:
            cell, left = over.pop(len(found), (0, 0))
            if not left:
                cell = next(cells, 0)
                span = attribute(page.tag(cell), "rowspan") if cell else ""
                left = min(int(span), _MAX_ROWSPAN) if span.isdecimal() and len(span) < 6 else 1
            if not cell:
                break
            if left > 1:
                over[len(found)] = (cell, left - 1)
            found.append(cell)
        rows.append(found)
    return rows


def _columns(page: Page, rows: list[list[int]]) -> tuple[int, int, list[str]] | None:
    """Return the columns of questions and answers, and the header's names, if the table has such columns."""
    names = [page.text(page.span(cell)).casefold().strip(" :?#") for cell in (rows[0] if rows else [])]
    question = next((place for place, name in enumerate(names) if name in _QUESTIONS), None)
    answer = next((place for place, name in enumerate(names) if name in _ANSWERS), None)
    if question is not None and answer is not None and len(rows) > 1:
        return question, answer, [page.text(page.span(cell)) for cell in rows[0]]
    for place in (0, 1):
        asking = [asks(page.text(page.span(row[place]))) for row in rows if len(row) == place + 2]
        if len(asking) > 1 and 2 * sum(asking) >= len(asking) and len(asking) * 2 >= len(rows):
            return place, place + 1, []
    return None


def _by_columns(page: Page, rows: list[list[int]], question: int, answer: int, names: list[str]) -> Iterator[Pair]:
    section = None
    for row in rows[1:] if names else rows:
        if len(row) == 1 or (len(row) > 1 and len(set(row)) == 1):
            section = page.text(page.span(row[0]))  # one cell across the table names what follows
        if len(row) <= max(question, answer) or not (text := asked(page.text(page.span(row[question])))):
            continue
        if not names and page.tag(row[question]).name == "th" and page.tag(row[answer]).name == "th":
            continue
        others = {
            name: value
            for place, (name, cell) in enumerate(zip(names, row, strict=False))
            if place not in {question, answer} and name and (value := page.text(page.span(cell)))
        }
        yield Pair(
            "table",
            text,
            page.span(row[question]),
            (page.inner(row[answer]),),
            nodes=(page.parent[row[question]],),
            anchors=(row[question], page.parent[row[question]], row[answer]),
            line=page.line[row[question]],
            section=section,
            metadata=dict(others),
        )


def _by_rows(page: Page, rows: list[list[int]]) -> Iterator[Pair]:
    """Yield pairs of a row that begins with a cell `Q` and the next, that begins with a cell `A`."""
    for first, second in pairwise(rows):
        if len(first) != 2 or len(second) != 2:
            continue
        marks = page.text(page.span(first[0])), page.text(page.span(second[0]))
        if is_question_mark(marks[0].rstrip(":.)") + ":") and is_answer_mark(marks[1].rstrip(":.)") + ":"):
            yield Pair(
                "table",
                asked(page.text(page.span(first[1]))),
                page.span(first[1]),
                (page.inner(second[1]),),
                nodes=(page.parent[first[0]], page.parent[second[0]]),
                anchors=(first[1], page.parent[first[0]]),
                line=page.line[first[1]],
            )
