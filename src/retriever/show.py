"""An entry found, as a hit: the passage nearest to the question, the sentence that answers, and where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
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


class Card:
    """An entry made ready to be shown: what of a hit does not depend on the question asked, worked out once.

    Safe to use from several threads: what two of them work out at once is the same.

    Args:
        entry: what was found.
        passages: all passages of the entry.
        stems: text to the stems of its words, in order.
    """

    def __init__(self, entry: Entry, passages: Sequence[Passage], stems: Callable[[str], list[str]]) -> None:
        self.entry = entry
        self.text = _GAP.join(paragraph.text for paragraph in entry.answer)
        self._passages = passages
        self._stems = stems
        self._found = [at for at, p in enumerate(passages) if p.kind in _FOUND]
        parted = {p.number for p in passages if p.kind == "sentence"}
        # A paragraph of a single sentence is one.
        self._sentences = [
            at
            for at, p in enumerate(passages)
            if p.kind == "sentence" or (p.kind == "answer" and p.number not in parted)
        ]
        self._sentences.sort(key=lambda at: (passages[at].number, passages[at].start))
        self._answering: dict[bool, list[int]] = {}
        self._held: dict[int, frozenset[str]] = {}
        self._shown: dict[int, tuple[AnswerText, Highlight, str | None]] = {}
        self._passage: dict[int, FoundPassage] = {}
        self._terms: frozenset[str] | None = None
        self._metadata = msgspec.json.encode(entry.metadata)

    @cached_property
    def question_words(self) -> list[str]:
        """The stems of the entry's own question."""
        return self._stems(self.entry.question)

    @cached_property
    def words(self) -> int:
        """How many words the entry's question and answer have."""
        return len(re.findall(r"\w+", f"{self.entry.question}\n{self.text}"))

    @cached_property
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
        asked: Mapping[str, float],
        validity: Validity,
        explanation: Explanation | None,
        *,
        way: bool = False,
    ) -> Hit:
        """Return the hit.

        Args:
            rank: its place, from 1.
            cosines: of the question asked with each passage.
            asked: the stems of the question's words, each with its rarity.
            validity: whether the entry holds today.
            explanation: what ordered it, where that was asked for.
            way: whether the question asks how to do something.
        """
        entry = self.entry
        nearest = max(self._found, key=cosines.__getitem__)
        answer, highlight, link = self._marked(self._best_sentence(cosines, asked, way=way))
        return Hit(
            rank=rank,
            entry_id=entry.id,
            score=round(min(max(cosines[nearest], -1.0), 1.0), 6),  # float32 can overshoot
            question=entry.question,
            answer=answer,
            passage=self._found_at(nearest),
            highlight=highlight,
            source=entry.source,
            link=link,
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

    def _best_sentence(self, cosines: Sequence[float], asked: Mapping[str, float], *, way: bool) -> int:
        """Return the place among the passages of the sentence that answers best."""
        sentences, total = self._that_may_answer(way=way), sum(asked.values()) or 1.0

        def share(number: int) -> float:
            held = self._held_by(sentences[number])
            return sum([rarity for stem, rarity in asked.items() if stem in held]) / total

        return sentences[best_sentence([cosines[at] for at in sentences], share)]

    def _that_may_answer(self, *, way: bool) -> list[int]:
        """Return the places among the passages of the sentences that may answer."""
        places = self._answering.get(way)
        if places is None:
            texts = [self._passages[at].text for at in self._sentences]
            places = self._answering[way] = [self._sentences[at] for at in may_answer(texts, way=way)]
        return places

    def _held_by(self, at: int) -> frozenset[str]:
        held = self._held.get(at)
        if held is None:
            held = self._held[at] = frozenset(self._stems(self._passages[at].text))
        return held

    def _found_at(self, at: int) -> FoundPassage:
        found = self._passage.get(at)
        if found is None:
            passage = self._passages[at]
            paragraph = passage.number if passage.kind == "answer" else None
            found = self._passage[at] = FoundPassage(_FOUND[passage.kind], passage.text, paragraph)
        return found

    def _marked(self, at: int) -> tuple[AnswerText, Highlight, str | None]:
        """Return the answer with the sentence at `at` marked, where that stands, and the link to it."""
        shown = self._shown.get(at)
        if shown is None:
            sentence = self._passages[at]
            before = self.entry.answer[: sentence.number - 1]
            offset = sum(len(paragraph.text) + len(_GAP) for paragraph in before)
            highlight = Highlight(sentence.text, offset + sentence.start, offset + sentence.end)
            link = _link(self.entry, self.text, sentence.text)
            shown = self._shown[at] = (AnswerText(self.text, _html(self.entry, sentence)), highlight, link)
        return shown


def _html(entry: Entry, sentence: Passage) -> str:
    return "\n".join(
        mark(p.html, p.text, sentence.start, sentence.end) if number == sentence.number else p.html
        for number, p in enumerate(entry.answer, start=1)
    )


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
