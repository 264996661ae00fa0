"""A page → its drafts: find pairs in every form, set them against each other, merge, and say what was left aside."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from urllib.parse import unquote

from retriever.readers.drafts import Draft, Item, Note, one_line
from retriever.readers.html.about import About, anchor_at, around, describe, language, language_at
from retriever.readers.html.chrome import remove_chrome
from retriever.readers.html.cues import asks, invites, is_answer_mark, is_question_mark
from retriever.readers.html.flow import Flow, divide, flow_pairs
from retriever.readers.html.flow import Item as Part
from retriever.readers.html.folded import class_pairs, details_pairs, panel_pairs
from retriever.readers.html.lines import Line
from retriever.readers.html.lists import table_pairs, term_pairs
from retriever.readers.html.pairs import Pair
from retriever.readers.html.same import count, merge, place
from retriever.readers.html.settle import Claims, claimed, nearest_shared, settle
from retriever.readers.html.structured import data_pairs, marked_pairs
from retriever.readers.html.tree import HEADINGS, Page, Span, attribute, parse, words
from retriever.readers.html.write import write

_SECTIONING = frozenset({"section", "article", "main", "aside", "fieldset", "body"})
_MIN_WORDS = 4
_MIN_CHARS = 20


def read_html(text: str, title: str) -> Iterator[Item]:
    """Read a page's questions with their answers, and what stands around them as page text."""
    page = parse(text)
    about = describe(page, title)
    data = list(data_pairs(page))
    removed = remove_chrome(page)
    pairs, names, weak = _marked_up(page, sure=any(isinstance(found, Pair) for found in data))
    flow = divide(page, pairs, names, claimed(page, [*pairs, *map(_label, names)]))
    shown = sorted([*pairs, *flow_pairs(page, flow)], key=lambda pair: pair.ask)
    _name_sections(page, flow, shown, about)
    _unmark(page, shown)
    places = [pair.ask.start for pair in shown]
    for pair in shown:
        shared = nearest_shared(page, places, pair.ask.start)
        pair.anchor = anchor_at(page, around(page, pair, shared))
    written = _Written(page, about)
    merged, notes = merge(shown, [found for found in data if isinstance(found, Pair)], written.letters)
    yield from (found for found in data if isinstance(found, Note))
    yield from notes
    yield from _left(page, removed, flow, weak, shown)
    if not merged:
        yield Note("no question found: kept as page text")
    drafts = [_draft(page, pair, about, written) for pair in merged]
    texts, dropped = _page_texts(page, flow, shown, about)
    yield from sorted([*drafts, *texts], key=lambda draft: draft.line or 0)
    if dropped:
        yield Note(f"{count(dropped, 'short line')} outside questions and answers: not kept ({place(dropped)})")


def _marked_up(page: Page, *, sure: bool) -> tuple[list[Pair], list[Pair], list[int]]:
    """Return the pairs that markup tells, the names of groups of them, and the lines of what only resembles pairs."""
    claims = Claims(page)
    for find in (marked_pairs, details_pairs, panel_pairs, class_pairs, term_pairs, table_pairs):
        claims.add(find(page))
    if not claims.pairs and not sure:
        claims.add(_article(page))
    sure = sure or any(not pair.weak for pair in claims.pairs) or _asks_elsewhere(page)
    weak = [pair.line for pair in claims.pairs if pair.weak and sure]
    pairs, names = settle(page, [pair for pair in claims.pairs if not (pair.weak and sure)])
    return _outside_answers(page, pairs), names, weak


def _asks_elsewhere(page: Page) -> bool:
    """Return whether headings or lines of the page ask, whatever its lists and boxes hold."""
    before = bytes(page.gone)
    items = divide(page, [], [], bytearray(len(page))).items
    page.gone[:] = before
    return any(item.role == "question" and (item.forced or asks(item.text)) for item in items)


def _article(page: Page) -> Iterator[Pair]:
    """Yield a help centre's article: its title asks, all of its body answers, headings inside it too."""
    bodies = [number for number, tag in page.tags(1) if not page.gone[number] and _is_article_body(tag)]
    titles = [number for number in page.named(0, "h1") if page.size(page.span(number))]
    if len(titles) != 1 or not bodies or titles[0] > bodies[0]:
        return
    inside = [number for number in page.named(bodies[0], *HEADINGS) if asks(page.text(page.span(number)))]
    if len(inside) < 2:
        question = page.text(page.span(titles[0]))
        yield Pair(
            "article",
            question,
            page.span(titles[0]),
            (page.inner(bodies[0]),),
            nodes=(titles[0], bodies[0]),
            anchors=(titles[0],),
            line=page.line[titles[0]],
        )


def _is_article_body(tag: object) -> bool:
    names = words(tag)  # type: ignore[arg-type]
    named = {"article", "body"} <= names or {"article", "content"} <= names or {"intercom", "article"} <= names
    return named or attribute(tag, "itemprop") == "articleBody"  # type: ignore[arg-type]


def _outside_answers(page: Page, pairs: list[Pair]) -> list[Pair]:
    """Return the pairs less those that belong to the answer of a heading that asks, and do not ask themselves."""
    taken = claimed(page, pairs)
    asking = {(pair.form, pair.group) for pair in pairs if pair.asks}
    headings = sorted(
        number
        for number in page.named(0, *HEADINGS)
        if not page.gone[number] and not taken[number] and page.size(page.span(number))
    )
    kept = []
    for pair in pairs:
        before = bisect_left(headings, pair.ask.start)
        text = page.text(page.span(headings[before - 1])) if before else ""
        if (pair.form, pair.group) in asking or not asks(text) or invites(text) or pair.form in {"microdata", "RDFa"}:
            kept.append(pair)
    return kept


def _unmark(page: Page, shown: Sequence[Pair]) -> None:
    """Leave out the `A:` before an answer whose question has its `Q:`, or where most answers have one."""
    marks = [is_answer_mark(page.text(pair.answer[0])[:40]) if pair.answer else 0 for pair in shown]
    usual = 2 * sum(map(bool, marks)) > len(marks)
    for pair, mark in zip(shown, marks, strict=True):
        pair.skip = mark if usual or is_question_mark(page.text(pair.ask)) else 0


def _label(name: Pair) -> Pair:
    """Return a group's name as it takes room on the page: without the group."""
    return Pair(name.form, name.question, name.ask)


# --- sections -----------------------------------------------------------------------------------------------------


def _name_sections(page: Page, flow: Flow, shown: Iterable[Pair], about: About) -> None:
    """Tell each pair the headings that it stands under."""
    by_start = {pair.ask.start: pair for pair in shown}
    open_: list[tuple[Part, int]] = []
    for item in flow.items:
        if item.role == "answer":
            continue
        open_ = [(section, end) for section, end in open_ if section.level < item.level and item.at < end]
        if item.role == "section":
            open_.append((item, item.end or _scope(page, item.at)))
            continue
        start = item.pair.ask.start if item.pair else item.line.first if item.line else item.at
        pair = by_start.get(start)
        path = [section.text for section, _ in open_ if section.text and section.text != about.title]
        path = [text for text in path if not invites(text)]
        if pair:
            pair.section = " / ".join([*path, pair.section] if pair.section else path) or None


def _scope(page: Page, number: int) -> int:
    """Return where the part of a page ends that a heading is that of."""
    for up in page.above(number):
        if page.tag(up).name in _SECTIONING:
            return page.end[up]
    return len(page)


# --- drafts -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Written:
    """Answers as HTML, and as bare letters to compare them by."""

    page: Page
    about: About

    def html(self, pair: Pair) -> str:
        if pair.html is not None:
            return self._of_data(pair.html)
        return write(self.page, pair.answer, self.about.base, without=pair.without, skip=pair.skip)

    def letters(self, pair: Pair) -> str:
        if pair.html is not None:
            page = parse(pair.html)
            text = page.text(page.span(0))
        else:
            text = " ".join(self.page.text(span) for span in pair.answer)
        return "".join(char for char in text.casefold() if char.isalnum())

    def _of_data(self, html: str) -> str:
        if "<a" not in html:
            return html
        page = parse(html)
        return write(page, [page.span(0)], self.about.base)


def _draft(page: Page, pair: Pair, about: About, written: _Written) -> Draft:
    lang = language_at(page, pair.ask.start) or (language(pair.lang) if pair.lang else None) or about.lang
    section = {"section": pair.section} if pair.section else {}
    return Draft(
        question=pair.question,
        answer=written.html(pair),
        line=pair.line,
        markup="html",
        alternates=pair.alternates,
        url=about.url,
        anchor=unquote(pair.anchor) if pair.anchor else None,
        title=about.title,
        lang=lang,
        metadata={**pair.metadata, **section},
    )


def _page_texts(page: Page, flow: Flow, shown: Sequence[Pair], about: About) -> tuple[list[Draft], list[int]]:
    """Return the text around the pairs, a draft for each heading that it stands under, and the lines of scraps."""
    taken = claimed(page, shown)
    parts = [(about.title, flow.before), *((_heading(item) or about.title, item.body) for item in flow.items)]
    drafts: dict[str, Draft] = {}
    dropped: list[int] = []
    for title, body in parts:
        free = [line for line in body if not taken[line.first]]
        kept = [line for line in free if _is_prose(line) and not invites(title)]
        dropped.extend(page.line[line.first] for line in free if not _is_prose(line) or invites(title))
        if kept:
            text = "\n\n".join(one_line(line.text) for line in kept)
            before = drafts.get(title)
            drafts[title] = Draft(
                question=title,
                answer=f"{before.answer}\n\n{text}" if before else text,
                line=before.line if before else page.line[kept[0].first],
                url=about.url,
                title=about.title,
                lang=about.lang,
                kind="page",
            )
    return list(drafts.values()), dropped


def _heading(item: Part) -> str:
    return item.text if item.role == "section" else ""


def _is_prose(line: Line) -> bool:
    return (
        not line.linked
        and len(line.text) >= _MIN_CHARS
        and (len(line.text.split()) >= _MIN_WORDS or not line.text.isascii())
    )


# --- the ledger ---------------------------------------------------------------------------------------------------


def _left(
    page: Page, removed: dict[str, list[int]], flow: Flow, weak: list[int], shown: Sequence[Pair]
) -> Iterator[Note]:
    """Yield what was seen and not taken."""
    if removed:
        parts = "; ".join(f"{kind} ({place(lines)})" for kind, lines in sorted(removed.items()))
        yield Note(f"no part of the text: {parts}")
    if flow.contents:
        yield Note(f"{count(flow.contents, 'link')} to what stands below: not read as text ({place(flow.contents)})")
    if weak:
        yield Note(f"{count(weak, 'term')} beside the questions: not taken ({place(weak)})")
    taken = claimed(page, shown)
    links = [number for number in chain(page.named(0, "a")) if not taken[number] and not page.gone[number]]
    away = [page.line[number] for number in links if asks(page.text(page.span(number))) and _leads_away(page, number)]
    if away:
        yield Note(f"{count(away, 'link')} to questions on other pages: save those too ({place(away)})")


def _leads_away(page: Page, number: int) -> bool:
    href = attribute(page.tag(number), "href")
    return bool(href) and not href.startswith("#") and not invites(page.text(Span(number, page.end[number])))
