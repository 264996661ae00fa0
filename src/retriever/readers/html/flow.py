"""Questions that only their place and look tell: headings, bold lines, `Q:` lines, the targets of a list of links."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from retriever.readers.headings import Heading, Role, roles
from retriever.readers.html.cues import (
    MAX_QUESTION,
    MAX_SPOKEN,
    asked,
    asks,
    ends_faq,
    invites,
    is_answer_mark,
    is_question_mark,
    key,
)
from retriever.readers.html.lines import Line, read_lines
from retriever.readers.html.pairs import Pair
from retriever.readers.html.settle import nearest_shared
from retriever.readers.html.tree import Page, Span, attribute, listed

_DEEPEST = 7
_BOX = listed("div li section article td details dd fieldset main body aside")


@dataclass(slots=True)
class Item:
    """Something that the page's text is divided by: a heading, a line that asks, or a pair that is found already."""

    at: int
    level: int
    text: str
    form: str = "headings"
    line: Line | None = None
    pair: Pair | None = None
    name: Pair | None = None
    forced: bool = False
    end: int = 0
    role: Role = "section"
    lists: bool = False
    body: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Flow:
    """The page divided: its items in order, the lines before the first, and what was left aside."""

    items: list[Item]
    before: list[Line]
    contents: list[int]


def divide(page: Page, pairs: Sequence[Pair], names: Sequence[Pair], taken: bytearray) -> Flow:
    """Return the page's items with their roles; `pairs` are those found by their markup, `names` those of groups."""
    targets, contents = _contents(page, taken)
    listed_at = sorted(contents)
    lines = read_lines(page, taken)
    spoken = sum(1 for line in lines if is_question_mark(line.text) and not line.quiet)
    answers = any(is_answer_mark(line.text) for line in lines)
    items = [Item(pair.ask.start, _DEEPEST, pair.question, pair.form, pair=pair, forced=True) for pair in pairs]
    items += [
        Item(name.answer[0].start, _DEEPEST - 1, name.question, name=name, end=name.answer[-1].end) for name in names
    ]
    rest: list[Line] = []
    wanted = _wanted(targets, lines)
    for place, line in enumerate(lines):
        item = _item(line, wanted.get(place), spoken=answers or spoken > 1)
        if item is None:
            rest.append(line)
        else:
            items.append(item)
            if item.line is None:
                rest.append(line)
    items.sort(key=lambda item: item.at)
    if not any(item.pair or item.forced or asks(item.text) for item in items):
        rest = _plain_questions(items, rest)
    return _fill(page, items, rest, listed_at)


def _fill(page: Page, items: list[Item], rest: list[Line], contents: list[int]) -> Flow:
    before: list[Line] = []
    places = [item.at for item in items]
    for line in rest:
        place = bisect_right(places, line.first) - 1
        (items[place].body if place >= 0 else before).append(line)
    for item, following in pairwise([*items, Item(len(page), 0, "")]):
        item.lists = bisect_right(contents, following.at) > bisect_right(contents, item.at)
    _cast(page, items)
    return Flow(items, before, [page.line[block] for block in contents])


def _item(line: Line, wanted: str | None, *, spoken: bool) -> Item | None:
    """Return the item that a line is; None for text."""
    text = asked(line.text)
    if line.level:
        return Item(line.heading, line.level, text, line=line, forced=line.marked or bool(wanted))
    if line.quiet or len(line.text) > (MAX_SPOKEN if spoken and is_question_mark(line.text) else MAX_QUESTION):
        return None
    if wanted:
        same = key(wanted) == key(line.text)
        return Item(
            line.first if same else line.opening, _DEEPEST, wanted, "links", line if same else None, forced=True
        )
    if spoken and is_question_mark(line.text):
        return Item(line.first, _DEEPEST, text, "Q and A", line, forced=True)
    if (line.bold or line.marked) and (asks(line.text) or (line.marked and len(text) > 3)):
        return Item(line.first, _DEEPEST, text, "bold lines", line, forced=True)
    return None


def _plain_questions(items: list[Item], rest: list[Line]) -> list[Line]:
    """Make items of lines that are nothing but a question, where a page has at least two and no other questions."""
    found = [
        line
        for line in rest
        if not (line.quiet or line.linked) and len(line.text) < 150 and line.text.endswith(("?", "？", "؟"))
    ]
    if len(found) < 2:
        return rest
    items += [Item(line.first, _DEEPEST, asked(line.text), "plain lines", line, forced=True) for line in found]
    items.sort(key=lambda item: item.at)
    taken = {line.first for line in found}
    return [line for line in rest if line.first not in taken]


# --- lists of links to what stands below --------------------------------------------------------------------------


def _contents(page: Page, taken: bytearray) -> tuple[dict[int, str], list[int]]:
    """Take lists of links to places of this page out of it; return the places with the questions that lead there."""
    lists: defaultdict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for number in page.named(0, "a"):
        href = attribute(page.tag(number), "href")
        target = page.ids.get(href[1:]) if href.startswith("#") else None
        text = page.text(page.span(number), everything=True)
        if target is None or target < number or taken[number] or taken[target] or len(text) < 4:
            continue
        block = page.block[number]
        if page.size(page.span(block)) <= page.size(page.span(number)) + 4 or page.tag(block).name not in {"p", "li"}:
            lists[page.parent[block]].append((block, target, text))
    targets: dict[int, str] = {}
    removed: list[int] = []
    for links in lists.values():
        if len(links) < 2:
            continue
        serious = 2 * sum(asks(text) for _, _, text in links) >= len(links)
        for block, target, text in links:
            if serious:
                targets[target] = asked(text)
            if not page.gone[block]:
                removed.append(block)
                page.remove(block)
    return targets, removed


def _wanted(targets: dict[int, str], lines: list[Line]) -> dict[int, str]:
    """Return the questions of links by the lines that they lead to."""
    firsts = [line.last for line in lines]
    places = {target: bisect_right(firsts, target - 1) for target in targets}
    return {place: targets[target] for target, place in places.items() if place < len(lines)}


# --- what each item is --------------------------------------------------------------------------------------------


def _cast(page: Page, items: list[Item]) -> None:
    """Give each item its role: as in Markdown, and with what pages are known to do besides."""
    title = _title(items)
    open_ = [item for place, item in enumerate(items) if item is not title and not _names(items, place)]
    headings = [Heading(item.level, item.text, _has_text(item), item.forced) for item in open_]
    shared = _shared(page, [item.at for item in open_ if item.forced or asks(item.text)])
    sure = any(item.pair for item in items)
    for item, role in zip(open_, roles(headings), strict=True):
        item.role = role
        if role == "question" and not item.pair and not item.forced and not asks(item.text):
            outside = not shared.start <= item.at < shared.end
            item.role = "section" if sure or (shared.end and outside) or _lists(item) else role
    _within_answers(items)


def _lists(item: Item) -> bool:
    """Return whether a heading has no text below it, or little but links to other pages."""
    return 2 * sum(line.linked for line in item.body) >= len(item.body)


def _title(items: list[Item]) -> Item | None:
    """Return the page's one heading of the first level, if it does not ask and questions stand below it."""
    first = [item for item in items if item.level == 1]
    below = [item for item in items if item.level > 1 and first and item.at > first[0].at]
    return first[0] if len(first) == 1 and below and not asks(first[0].text) else None


def _names(items: list[Item], place: int) -> bool:
    """Return whether an item is surely no question: the name of a group, or of what is no part of the FAQ."""
    item = items[place]
    if item.pair:
        return False
    calls = bool(item.body) and all(line.pressed for line in item.body)
    only = item.lists and not item.body  # it is above a list of links to what stands below
    return bool(item.name) or only or calls or invites(item.text) or ends_faq(item.text) or _leads(items, place)


def _within_answers(items: list[Item]) -> None:
    """Let no heading belong to the answer of a question that turned out to be none."""
    open_question = False
    for item in items:
        if item.role == "answer" and not open_question:
            item.role = "section"
        elif item.role != "answer":
            open_question = item.role == "question" and item.pair is None


def _has_text(item: Item) -> bool:
    return item.pair is not None or bool(item.body)


def _leads(items: list[Item], place: int) -> bool:
    """Return whether a heading stands above several pairs, and so names them: with a question of its own, perhaps."""
    item = items[place]
    if item.level >= _DEEPEST:
        return False
    following = 0
    for other in items[place + 1 :]:
        if other.level <= item.level or following > 1:
            break
        following += other.pair is not None
    return following > 1


def _shared(page: Page, places: list[int]) -> Span:
    """Return the stretch of the nearest node that holds all of these places; an empty one for none."""
    if not places:
        return Span(0, 0)
    node = page.parent[places[0]]
    while node and not (node <= min(places) and max(places) < page.end[node]):
        node = page.parent[node]
    return page.span(node)


# --- pairs --------------------------------------------------------------------------------------------------------


def flow_pairs(page: Page, flow: Flow) -> Iterator[Pair]:
    """Yield the questions among the items with what follows them, as far as their boxes reach."""
    asking = [item for item in flow.items if item.role == "question"]
    bounds = _bounds(page, asking)
    for place, item in enumerate(flow.items):
        if item.role != "question" or item.pair:
            continue
        after = place + 1
        while after < len(flow.items) and flow.items[after].role == "answer":
            after += 1
        stop = flow.items[after].at if after < len(flow.items) else len(page)
        stop = min(_opening(page, stop), bounds[item.at])
        start = item.line.last + 1 if item.line else item.at
        if item.line and item.line.heading:
            start = page.end[item.line.heading]
        yield _pair(page, item, flow.items[place - 1] if place else None, Span(start, max(start, stop)))


def _pair(page: Page, item: Item, previous: Item | None, answer: Span) -> Pair:
    start = item.line.first if item.line else item.at
    inside = [line for line in item.body if line.first < answer.end]
    dropped = {text for line in inside if invites(line.text) for text in range(line.first, line.last + 1)}
    return Pair(
        item.form,
        item.text,
        Span(start, start if item.line is None else item.line.last + 1),
        (answer,),
        anchors=_anchors(page, item, previous, answer),
        line=page.line[item.line.heading or item.line.first] if item.line else page.line[item.at],
        without=dropped,
    )


def _anchors(page: Page, item: Item, previous: Item | None, answer: Span) -> tuple[int, ...]:
    """Return what may hold an id: what is in the question, and what opens between the text before it and it."""
    last = max((line.last for line in previous.body), default=previous.at) if previous else 0
    if previous and previous.line:
        last = max(last, previous.line.last)
    if previous and previous.pair:
        last = max([last, *(span.end - 1 for span in previous.pair.answer)])
    if item.line is None:
        return (item.at,)
    own = item.line.heading or item.line.opening
    inside = [number for number, _ in page.tags(own, item.line.last)]
    before = [
        number for number, _ in page.tags(last + 1, own) if page.end[number] <= own or answer.start < page.end[number]
    ]
    return (*inside, *reversed(before))


def _opening(page: Page, stop: int) -> int:
    """Return the first node that belongs to what begins at `stop`: its box, not only its text."""
    if stop >= len(page):
        return stop
    while (
        page.parent[stop]
        and page.size(Span(page.parent[stop], stop)) == 0
        and page.tag(page.parent[stop]).name != "body"
    ):
        stop = page.parent[stop]
    return stop


def _bounds(page: Page, asking: list[Item]) -> dict[int, int]:
    """Return where each answer ends at the latest: with the question's box if each has one, else with that of all."""
    places = [item.at for item in asking]
    scopes = {at: nearest_shared(page, places, at) for at in places}
    boxes = {at: _box(page, at, scope) for at, scope in scopes.items()}
    votes: defaultdict[int, int] = defaultdict(int)
    for item, following in pairwise(asking):
        if scopes[item.at] == scopes[following.at]:
            box = boxes[item.at]
            between = page.size(Span(page.end[box], following.at)) if box and page.end[box] <= following.at else 1
            votes[scopes[item.at]] += 1 if box and not between else -1
    lasts = {item.at: (item.line.last if item.line else item.at) + 1 for item in asking}
    bounds = {}
    for at, scope in scopes.items():
        box = boxes[at]
        last = lasts[at]
        boxed = box and votes[scope] >= 0 and last < page.end[box] and page.size(Span(last, page.end[box])) > 0
        bounds[at] = page.end[box] if boxed else page.end[scope] if scope else _main_end(page, at)
    return bounds


def _box(page: Page, at: int, scope: int) -> int:
    """Return the box right inside the questions' common node that holds this one; 0 if that is no box."""
    box = at
    while page.parent[box] and page.parent[box] != scope:
        box = page.parent[box]
    return box if page.parent[box] == scope and scope and box != at and page.tag(box).name in _BOX else 0


def _main_end(page: Page, at: int) -> int:
    """Return where the content ends that a single question stands in."""
    for up in page.above(at):
        tag = page.tag(up)
        if tag.name in {"main", "article", "section", "body"} or attribute(tag, "role") == "main":
            return page.end[up]
    return len(page)
