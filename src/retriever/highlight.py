"""Which sentence of an answer answers best, marked in its HTML and named in a link: pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import quote, urlsplit, urlunsplit

# How much sharing all of the question's words counts beside a cosine. 15,000 questions of public sets, each with its
# sentence, would have it higher yet; FAQs would not (docs/evaluation.md).
_WORDS_WEIGHT = 0.1
# How far the best sentence must stand out from the lead before it takes its place.
_STANDS_OUT = 0.02


# English; elsewhere nothing is left out for it.
_ASKS_FOR_A_WAY = re.compile(
    r"\bhow (?:do|can|to|should|would|could)\b|\bwhat (?:should|can|do|must) (?:i|we|you)\b"
    r"|\b(?:fix|resolve|solve|solution)\b",
    re.IGNORECASE,
)
_SOLUTION = re.compile(r"\W*(?:the )?(?:solution\b|answer\s*:)", re.IGNORECASE)
_LEADS_ON = ("?", ":", "？", "：")
_WORD = re.compile(r"\w+")
# In scripts that part no words, one word may be a sentence, so these are ASCII words.
_SCRAP = 2


def asks_for_a_way(question: str) -> bool:
    """Tell whether `question` asks how to do something, or to mend it."""
    return _ASKS_FOR_A_WAY.search(question) is not None


def may_answer(sentences: Sequence[str], *, way: bool) -> list[int]:
    """Return the places of the sentences of an answer that may answer, in order, never none.

    A question, a line that leads on to the next, and a word or two state nothing. Where a way is asked for, what stands
    before a line that begins with "Solution" is the problem told again, which is nearest to the question.
    """
    solution = next((at for at, sentence in enumerate(sentences) if _SOLUTION.match(sentence)), 0) if way else 0
    rest = range(solution, len(sentences))
    return [at for at in rest if _states(sentences[at])] or list(rest)


def _states(sentence: str) -> bool:
    scrap = sentence.isascii() and len(_WORD.findall(sentence)) <= _SCRAP
    return not scrap and not sentence.rstrip(" )]\"'").endswith(_LEADS_ON)


def best_sentence(cosines: Sequence[float], coverage: Sequence[float]) -> int:
    """Return which sentence answers best: by cosine and by its share of the question's words; else the lead.

    Args:
        cosines: of the question with each sentence, in the order of the answer.
        coverage: the share, 0 to 1, of the question's words in each sentence.
    """
    # Sentences are few, and numpy is slow for few numbers.
    scores = [cosine + _WORDS_WEIGHT * share for cosine, share in zip(cosines, coverage, strict=True)]
    best = max(range(len(scores)), key=scores.__getitem__)
    return best if scores[best] > scores[0] + _STANDS_OUT else 0


def contenders(cosines: Sequence[float]) -> list[bool]:
    """Tell which sentences `best_sentence` may choose, or compares with: the words of the others change nothing."""
    least = max(cosines) - _WORDS_WEIGHT - 1e-4
    return [at == 0 or cosine >= least for at, cosine in enumerate(cosines)]


def fragment_link(url: str, anchor: str | None, text: str, sentence: str) -> str:
    """Return `url` with its anchor, and a text fragment that opens it at `sentence` where that occurs once in `text`.

    Text fragments are the WICG's "Scroll to Text Fragment": `-`, `,` and `&` have a meaning in one, so they are encoded
    like all that is not a letter or digit.
    """
    parts = urlsplit(url)
    fragment = quote(anchor, safe="%!$&'()*+,;=:@/?~-") if anchor else parts.fragment
    directive = _directive(text, sentence)
    if directive:
        fragment = f"{fragment}:~:text={directive}"
    return urlunsplit(parts._replace(fragment=fragment))


# Longer sentences are named by how they begin and end, since a page may break the middle differently.
_WHOLE, _EDGE = 8, 4


def _directive(text: str, sentence: str) -> str | None:
    if not sentence or "\n" in sentence or _count(text, sentence) != 1:
        return None
    words = sentence.split()
    if len(words) <= _WHOLE:
        return _encoded(sentence)
    first, last = " ".join(words[:_EDGE]), " ".join(words[-_EDGE:])
    if _count(text, first) != 1 or _count(text, last) != 1:
        return _encoded(sentence)
    return f"{_encoded(first)},{_encoded(last)}"


def _count(text: str, part: str) -> int:
    """Return how often `part` is in `text` as a browser looks for it, which is whatever the case."""
    return text.casefold().count(part.casefold())


def _encoded(text: str) -> str:
    return quote(text, safe="").replace("-", "%2D")


def mark(html: str, text: str, start: int, end: int) -> str:
    """Return `html` with the characters that are `text[start:end]` inside <mark>.

    `html` is sanitised and holds the characters of `text`, white space aside, in order. Every run of marked text gets
    a <mark> of its own, so that the tags stay nested. Its other bytes stay as they are.
    """
    first = _visible(text[:start])
    marker = _Marker(first, first + _visible(text[start:end]))
    marker.feed(html)
    marker.close()
    return "".join(marker.out).replace("</mark><mark>", "")


def _visible(text: str) -> int:
    return len("".join(text.split()))


class _Marker(HTMLParser):
    """Copies HTML, counting visible characters, and opens and closes <mark> inside runs of text."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._first, self._last, self._seen = first, last, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.out.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Copy a run of text, the marked part of it, if any, in <mark>."""
        before, self._seen = self._seen, self._seen + _visible(data)
        marked: list[int] = []
        if before < self._last and self._seen > self._first:  # most runs are not, and counting places takes long
            places = [at for at, char in enumerate(data) if not char.isspace()]
            marked = places[max(self._first - before, 0) : self._last - before]
        if marked:
            begin, stop = marked[0], marked[-1] + 1
            self.out += [data[:begin], "<mark>", data[begin:stop], "</mark>", data[stop:]]
        else:
            self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self._handle_reference(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._handle_reference(f"&#{name};")

    def _handle_reference(self, reference: str) -> None:
        inside = self._first <= self._seen < self._last
        self._seen += reference != "&nbsp;"
        self.out.append(f"<mark>{reference}</mark>" if inside else reference)
