"""An entry found, as a hit: the passage nearest to the question, the sentence that answers, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from retriever.highlight import best_sentence, fragment_link, mark, may_answer
from retriever.types import (
    AnswerText,
    Entry,
    Explanation,
    FoundKind,
    FoundPassage,
    Highlight,
    Hit,
    Passage,
    Validity,
)

_GAP = "\n\n"
"""What parts the paragraphs of an answer's text."""

_FOUND: dict[str, FoundKind] = {"question": "question", "alternate": "alternate", "answer": "answer"}


class Stems(NamedTuple):
    """The stems of a question's words, each between blanks and with its rarity, and the sum of those."""

    words: Sequence[tuple[str, float]]
    total: float

    @classmethod
    def of(cls, rarities: Mapping[str, float]) -> Stems:
        """Return the stems that have these rarities."""
        return cls([(_apart((stem,)), rarity) for stem, rarity in rarities.items()], sum(rarities.values()) or 1.0)

    def share(self, held: str) -> float:
        """Return the share of them that are among `held`, stems between blanks: 0 to 1, the rarest count most."""
        return sum([rarity for word, rarity in self.words if word in held]) / self.total


class Card:
    """An entry made ready to be shown: what of a hit does not depend on the question asked, worked out once.

    Thousands are kept, by every worker of a server: so texts that are part of another are not kept beside it. Safe to
    use from several threads: what two of them work out at once is the same.

    Args:
        entry: what was found.
        passages: all passages of the entry. Each is asked for when it is needed.
        stems: text to the stems of its words, in order.
    """

    def __init__(self, entry: Entry, passages: Sequence[Passage], stems: Callable[[str], list[str]]) -> None:
        self.entry = entry
        self.text = _GAP.join(paragraph.text for paragraph in entry.answer)
        self._passages = passages
        self._stems = stems
        made = list(passages)
        self._found = [at for at, p in enumerate(made) if p.kind in _FOUND]
        parted = {p.number for p in made if p.kind == "sentence"}
        # A paragraph of a single sentence is one.
        self._sentences = [
            at for at, p in enumerate(made) if p.kind == "sentence" or (p.kind == "answer" and p.number not in parted)
        ]
        self._sentences.sort(key=lambda at: (made[at].number, made[at].start))
        self._answering: dict[bool, list[int]] = {}
        self._held: dict[int, str] = {}
        self._nearest: dict[int, FoundPassage] = {}
        self._shown: dict[int, _Marked] = {}
        self._terms: frozenset[str] | None = None
        self._metadata = msgspec.json.encode(entry.metadata)

    @cached_property
    def question_words(self) -> str:
        """The stems of the entry's own question, each between blanks."""
        return _apart(self._stems(self.entry.question))

    @cached_property
    def words(self) -> int:
        """How many words the entry's question and answer have."""
        return len(re.findall(r"\w+", f"{self.entry.question}\n{self.text}"))

    @property
    def all_text(self) -> str:
        """All that the entry says, its other wordings and tags included."""
        entry = self.entry
        return "\n".join((entry.question, *entry.alternates, *entry.tags, *(part.text for part in entry.answer)))

    def terms(self, read: Callable[[str], list[str]]) -> frozenset[str]:
        """Return the terms that `read`, always the same, finds in all that the entry says. They are kept."""
        if self._terms is None:
            self._terms = frozenset(read(self.all_text))
        return self._terms

    def hit(
        self,
        rank: int,
        cosines: Sequence[float],
        asked: Stems,
        validity: Validity,
        explanation: Explanation | None,
        *,
        way: bool = False,
    ) -> Hit:
        """Return the hit.

        Args:
            rank: its place, from 1.
            cosines: of the question asked with each passage.
            asked: the stems of the question's words.
            validity: whether the entry holds today.
            explanation: what ordered it, where that was asked for.
            way: whether the question asks how to do something.
        """
        entry = self.entry
        nearest = max(self._found, key=cosines.__getitem__)
        marked = self._marked(self._best_sentence(cosines, asked, way=way))
        return Hit(
            rank=rank,
            entry_id=entry.id,
            score=round(min(max(cosines[nearest], -1.0), 1.0), 6),  # float32 can overshoot
            question=entry.question,
            answer=AnswerText(self.text, self._html(marked)),
            passage=self._passage(nearest),
            highlight=Highlight(self.text[marked.start : marked.end], marked.start, marked.end),
            source=entry.source,
            link=marked.link,
            tags=entry.tags,
            lang=entry.lang,
            kind=entry.kind,
            # A caller may change it, and the entry is kept; what came from JSON is copied soonest by way of it.
            metadata=msgspec.json.decode(self._metadata),
            explain=explanation,
            owner=entry.owner,
            reviewed=entry.reviewed,
            valid_from=entry.valid_from,
            valid_until=entry.valid_until,
            validity=validity,
        )

    def _passage(self, at: int) -> FoundPassage:
        """Return the passage at a place, as it is found. Its text is one that the entry has, wherever it is whole."""
        found = self._nearest.get(at)
        if found is None:
            passage = self._passages[at]
            number = passage.number if passage.kind == "answer" else None
            found = self._nearest[at] = FoundPassage(_FOUND[passage.kind], passage.text, number)
        return found

    def _best_sentence(self, cosines: Sequence[float], asked: Stems, *, way: bool) -> int:
        """Return the place among the passages of the sentence that answers best."""
        sentences = self._that_may_answer(way=way)
        near = [cosines[at] for at in sentences]
        return sentences[best_sentence(near, lambda number: asked.share(self._held_by(sentences[number])))]

    def _that_may_answer(self, *, way: bool) -> list[int]:
        """Return the places among the passages of the sentences that may answer."""
        places = self._answering.get(way)
        if places is None:
            made = list(self._passages)
            texts = [made[at].text for at in self._sentences]
            places = self._answering[way] = [self._sentences[at] for at in may_answer(texts, way=way)]
        return places

    def _held_by(self, at: int) -> str:
        """Return the stems of a passage's words, each between blanks: a set of them takes five times the memory."""
        held = self._held.get(at)
        if held is None:
            held = self._held[at] = _apart(dict.fromkeys(self._stems(self._passages[at].text)))
        return held

    def _marked(self, at: int) -> _Marked:
        """Return what marks the sentence at `at`, where that stands, and the link to it."""
        shown = self._shown.get(at)
        if shown is None:
            sentence = self._passages[at]
            paragraph = self.entry.answer[sentence.number - 1]
            before = self.entry.answer[: sentence.number - 1]
            offset = sum(len(paragraph.text) + len(_GAP) for paragraph in before)
            link = _link(self.entry, self.text, sentence.text)
            html = mark(paragraph.html, paragraph.text, sentence.start, sentence.end)
            begin = _alike(paragraph.html, html)
            kept = _alike(paragraph.html[begin:][::-1], html[begin:][::-1])
            middle, start, end = html[begin : len(html) - kept], offset + sentence.start, offset + sentence.end
            shown = self._shown[at] = _Marked(sentence.number, begin, middle, kept, start, end, link)
        return shown

    def _html(self, marked: _Marked) -> str:
        """Return the answer's HTML with the sentence marked."""
        html = [paragraph.html for paragraph in self.entry.answer]
        html[marked.number - 1] = marked.within(html[marked.number - 1])
        return "\n".join(html)


class _Marked(NamedTuple):
    """A sentence marked in the HTML of its paragraph: how much of that stands before and after the `middle`.

    `number` is the paragraph's, `start` and `end` are where the sentence stands in the text of the answer, `link` leads
    to it.
    """

    number: int
    before: int
    middle: str
    after: int
    start: int
    end: int
    link: str | None

    def within(self, html: str) -> str:
        """Return the paragraph, which is `html`, with the sentence marked."""
        return f"{html[: self.before]}{self.middle}{html[len(html) - self.after :]}"


def _alike(one: str, other: str) -> int:
    """Return with how many characters both begin."""
    least, most = 0, min(len(one), len(other))
    while least < most:  # halves compared at once take a hundredth of the time of characters
        half = (least + most + 1) // 2
        least, most = (half, most) if one[least:half] == other[least:half] else (least, half - 1)
    return least


def _apart(words: Iterable[str]) -> str:
    return f" {' '.join(words)} "


def _link(entry: Entry, text: str, sentence: str) -> str | None:
    """Return where the source can be read, opened at the sentence; None unless that is on the web."""
    url = entry.source.url
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    if not url or parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    return fragment_link(url, entry.source.anchor, text, sentence)
