"""Markdown → drafts: headings, bold lines, `Q:` lines and folded `<details>` ask; what follows them answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retriever.readers.drafts import Draft, Flaw, Item, Note, Refused, one_line
from retriever.readers.frontmatter import split_front_matter
from retriever.readers.headings import Heading, Role, asks, roles
from retriever.readers.markup import MARKDOWN, MAX_NESTING, check_marks, to_text
from retriever.readers.records import draft_of

_BLOCKS_ONLY = MarkdownIt("commonmark").disable(["inline"])
_Q = re.compile(r"(?:\*\*|__)?Q(?:uestion)?\s?\d*\s?[:.](?:\*\*|__)?\s*(?=\S)", re.IGNORECASE)
_A = re.compile(r"(?:\*\*|__)?A(?:nswer)?\s?\d*\s?[:.](?:\*\*|__)?(?:\s+|$)", re.IGNORECASE)
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.{1,1000}?)(?<=\S)\1\s*")
_SUMMARY = re.compile(r"\s*(?:<details[^<>]*>)?\s*<summary>(.{1,1000})</summary>\s*", re.IGNORECASE)
_DETAILS = re.compile(r"\s*</?details[^<>]*>\s*", re.IGNORECASE)
_NUMBER = re.compile(r"(?:Q\s?\d*\s?[:.]|\d{1,3}[.)])\s+(?=\S)", re.IGNORECASE)
_ANCHOR = re.compile(r"\s*\{#([\w:.-]+)\}\s*$")
_COMMENT = re.compile(r"<!-- retriever: (\{.*\}) -->", re.DOTALL)
_QUESTION = "###### "  # the deepest heading, so that every other one can be its section


@dataclass(frozen=True, slots=True)
class _Part:
    """A heading with the blocks below it; before the first heading, the blocks alone."""

    heading: str
    level: int
    line: int
    body: Sequence[Token]


def read_markdown(text: str, title: str) -> Iterator[Item]:
    """Read a page of questions, or the one entry of a file whose front matter has the question."""
    front, text = split_front_matter(text)
    if "question" in front:
        yield replace(draft_of({**front, "answer": text.strip("\n")}, 1), markup="markdown")
        return
    if not text.strip():
        raise Flaw("empty file")
    try:
        page = draft_of({"title": "", **front, "question": "-", "answer": "-"}, None)
    except Flaw as flaw:
        raise Flaw(f"in the front matter, which is for all of the file, {flaw.reason}", 1) from flaw
    lines, forced = _as_headings(text)
    env: dict[str, Any] = {}
    tokens = MARKDOWN.parse("\n".join(lines), env)
    if max((token.level for token in tokens), default=0) >= MAX_NESTING - 1:
        raise Flaw(f"nested over {MAX_NESTING} levels deep")
    yield from _unclosed(tokens, lines)
    yield from _drafts(list(_parts(tokens, env)), forced, env, page, title)


def _as_headings(text: str) -> tuple[list[str], set[int]]:
    """Return the lines with each question that is no heading made one, in its own line, and the lines so made."""
    check_marks(text)
    lines, forced = text.split("\n"), set[int]()
    free = [True] * len(lines)
    for token in _BLOCKS_ONLY.parse(text):
        foldable = token.type == "html_block" and "<summary" in token.content.lower()
        if token.type in {"fence", "code_block", "html_block"} and token.map and not foldable:
            free[slice(*token.map)] = [False] * (token.map[1] - token.map[0])
    spoken = any(_Q.match(line) and fits for line, fits in zip(lines, free, strict=True))
    for number, line in enumerate(lines):
        if free[number] and (question := _question(lines, number, spoken=spoken)):
            lines[number] = _QUESTION + question
            forced.add(number + 1)
        elif free[number] and spoken:
            lines[number] = _A.sub("", line, count=1) if _A.match(line) else line
        if free[number] and _DETAILS.fullmatch(lines[number]):
            lines[number] = ""
    return lines, forced


def _question(lines: list[str], number: int, *, spoken: bool) -> str | None:
    """Return the question that a line is, if it is one though no heading."""
    line = lines[number]
    if spoken and (match := _Q.match(line)):
        return _rest_of_question(lines, number, line[match.end() :])
    if (bold := _BOLD.fullmatch(line)) and asks(bold[2]) and bold[2].rstrip()[-1] in "?？؟":
        return bold[2]
    if (summary := _SUMMARY.fullmatch(line)) and asks(summary[1]):
        return summary[1]
    return None


def _rest_of_question(lines: list[str], number: int, first: str) -> str:
    """Return a `Q:` line with the lines that it goes on over, up to `A:`, which are blanked."""
    end = number + 1
    while end < len(lines) and lines[end].strip() and not _A.match(lines[end]) and not _Q.match(lines[end]):
        end += 1
    answered = end < len(lines) and _A.match(lines[end])
    if not answered and not lines[end - 1].rstrip().endswith(("**", "__")):
        end = number + 1
    question = " ".join([first, *lines[number + 1 : end]]).strip()
    lines[number + 1 : end] = [""] * (end - number - 1)
    # The marks of a bold line may open before `Q:` and close after the question.
    return question.rstrip("*_") if question.count("**") % 2 or question.count("__") % 2 else question


def _parts(tokens: Sequence[Token], env: dict[str, Any]) -> Iterator[_Part]:
    starts = [place for place, token in enumerate(tokens) if token.type == "heading_open" and token.level == 0]
    yield _Part("", 0, 1, tokens[: starts[0]] if starts else tokens)
    for start, end in pairwise([*starts, len(tokens)]):
        opening, inline = tokens[start], tokens[start + 1]
        heading = to_text(MARKDOWN.renderer.render([inline], MARKDOWN.options, env))
        yield _Part(heading, int(opening.tag[1:]), (opening.map or [0])[0] + 1, tokens[start:end])


def _drafts(parts: list[_Part], forced: set[int], env: dict[str, Any], page: Draft, fallback: str) -> Iterator[Item]:
    before, *headed = parts
    headings = [
        Heading(part.level, part.heading, len(part.body) > 3, part.line in forced or _comment(part) is not None)
        for part in headed
    ]
    found = roles(headings)
    title = page.title or next((_named(h.text)[0] for h in headings if h.level == 1), fallback)
    if "question" not in found:
        yield Note("no question found: kept as page text")
    yield from _page(before.body, title, replace(page, title=title, line=_first_line(before.body)), env)
    sections: list[_Part] = []
    for place, (part, role) in enumerate(zip(headed, found, strict=True)):
        if role == "answer":
            continue
        sections = [section for section in sections if section.level < part.level]
        path = " / ".join(section.heading for section in sections if section.heading != title)
        here = replace(
            page, title=title, line=part.line, metadata={**page.metadata, **({"section": path} if path else {})}
        )
        if role == "section":
            sections.append(part)
            yield from _page(part.body[3:], part.heading or title, here, env)
        else:
            question, anchor = _named(part.heading)
            answer = _html([*part.body[3:], *_deeper(headed, found, place)], env)
            if comment := _comment(part):
                yield _commented(comment, question, answer, part.line)
                continue
            yield replace(here, question=question, anchor=anchor or page.anchor, answer=answer, markup="html")


def _comment(part: _Part) -> re.Match[str] | None:
    """Return what an export of ours says of an entry in a comment below its heading."""
    below = part.body[3] if len(part.body) > 3 else None
    return _COMMENT.fullmatch(below.content.strip()) if below and below.type == "html_block" else None


def _commented(comment: re.Match[str], question: str, answer: str, line: int) -> Item:
    """Return the entry that heading, text and comment make together; the page says nothing of it."""
    try:
        fields = json.loads(comment[1])
        return draft_of({"question": question, "answer": answer, "answer_format": "html", **fields}, line)
    except (ValueError, RecursionError) as error:
        return Refused(line, f"the comment below the heading is not JSON: {error}")
    except Flaw as flaw:
        return Refused(line, flaw.reason)


def _deeper(parts: Sequence[_Part], found: Sequence[Role], place: int) -> Iterator[Token]:
    """Yield the blocks of the headings that belong to the answer of the question at `place`."""
    for part, role in zip(parts[place + 1 :], found[place + 1 :], strict=True):
        if role != "answer":
            return
        yield from part.body


def _page(body: Sequence[Token], question: str, draft: Draft, env: dict[str, Any]) -> Iterator[Item]:
    html = _html(body, env)
    if to_text(html):
        yield replace(draft, question=one_line(question), answer=html, markup="html", kind="page")


def _named(heading: str) -> tuple[str, str | None]:
    """Return a heading without its number, and the anchor that it may carry as `{#name}`."""
    anchor = _ANCHOR.search(heading)
    text = heading[: anchor.start()] if anchor else heading
    return _NUMBER.sub("", text, count=1), anchor[1] if anchor else None


def _html(tokens: Sequence[Token], env: dict[str, Any]) -> str:
    return str(MARKDOWN.renderer.render(tokens, MARKDOWN.options, env))


def _first_line(tokens: Sequence[Token]) -> int:
    return next((token.map[0] + 1 for token in tokens if token.map), 1)


def _unclosed(tokens: Sequence[Token], lines: Sequence[str]) -> Iterator[Note]:
    """Say which fence or comment is never closed, since it hides every question below it."""
    for token in tokens:
        first, last = token.map or (0, 0)
        if token.type == "fence" and not (last - first > 1 and lines[last - 1].strip(" >\t").startswith(token.markup)):
            yield Note(f"the code fence in line {first + 1} is never closed: all below it is read as code")
        elif token.type == "html_block" and token.content.lstrip().startswith("<!--") and "-->" not in token.content:
            yield Note(f"the comment in line {first + 1} is never closed: all below it is read as text of one block")
