"""Text as it is compared while somebody types: without case, accents and marks; and its pieces, with their places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# Letters that Unicode does not take apart.
_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
# Nobody types the apostrophe of "don't" in a hurry.
_DROPPED = frozenset("'’ʼ`´\u00ad\u200b\u200c\u200d\u2060\ufeff")
# Scripts that part no words with blanks: kana and Han, Thai and Lao, Tibetan, Burmese, Khmer.
_JOINED = "\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
_PIECE = re.compile(rf"([{_JOINED}]+)|(?:(?![{_JOINED}])[^\W_])+")
_WORD = re.compile(r"[^\W_]+")


class _Table(dict[int, str]):
    """What each character is folded to, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        taken_apart = unicodedata.normalize("NFKD", char.casefold())
        plain = "".join(_LETTERS.get(c, c) for c in taken_apart if unicodedata.category(c)[0] != "M")
        self[code] = folded = "" if char in _DROPPED else plain
        return folded


_TABLE = _Table()


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, or a run of a script that parts none: `text` is folded and lies from `start` to `end` in folded text."""

    text: str
    start: int
    end: int
    joined: bool

    def terms(self) -> Iterator[tuple[str, int]]:
        """Yield what it is indexed by, with the places: itself, or each of its characters with the next."""
        if not self.joined:
            yield self.text, self.start
            return
        for at in range(len(self.text)):
            yield self.text[at : at + 2], self.start + at


def fold(text: str) -> str:
    """Return `text` folded."""
    return text.lower().replace("'", "").replace("`", "") if text.isascii() else text.translate(_TABLE)


def pieces(folded: str) -> list[Piece]:
    """Return the pieces of folded text, in order."""
    return [Piece(m[0], m.start(), m.end(), m[1] is not None) for m in _PIECE.finditer(folded)]


def plain_and_terms(folded: str) -> tuple[str, set[str]]:
    """Return the pieces of folded text as one text, and the different terms that they are indexed by."""
    if folded.isascii():  # the same, without a look at each piece
        words = _WORD.findall(folded)
        return " ".join(words), set(words)
    found = pieces(folded)
    return plain(found), {term for piece in found for term, _ in piece.terms()}


def plain(found: list[Piece]) -> str:
    """Return the pieces as one text, a blank between each two."""
    return " ".join(piece.text for piece in found)


class Places:
    """Where each character of a folded text came from."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self._from: Sequence[int] = range(len(text))
        if not text.isascii() or len(self.folded) < len(text):
            each = [fold(char) for char in text]
            self._from = [at for at, folded in enumerate(each) for _ in folded]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place in the text of what lies from `start` to `end` in the folded text, marks included."""
        first, last = self._from[start], self._from[end - 1] + 1
        while last < len(self.text) and unicodedata.category(self.text[last])[0] == "M":
            last += 1
        return first, last
