"""Which sentence of an answer answers best, marked in its HTML and named in a link: pure functions."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
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
_SCRAP, _LONG = 2, 80


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
    scrap = len(sentence) < _LONG and sentence.isascii() and len(_WORD.findall(sentence)) <= _SCRAP
    return not scrap and not sentence.rstrip(" )]\"'").endswith(_LEADS_ON)


def best_sentence(cosines: Sequence[float], share: Callable[[int], float]) -> int:
    """Return which sentence answers best: by cosine and by its share of the question's words; else the lead.

    Args:
        cosines: of the question with each sentence, in the order of the answer.
        share: of the question's words in the sentence at a place, 0 to 1. Called for those alone that may be chosen.
    """
    if len(cosines) == 1:
        return 0
    # Sentences are few, and numpy is slow for few numbers. No share lifts what is further below the best or the lead,
    # and looking at words takes longest.
    stands_out, reach = cosines[0] + _STANDS_OUT, _WORDS_WEIGHT + 1e-4
    least = max(*cosines, stands_out) - reach
    able = [at for at, cosine in enumerate(cosines) if cosine >= least and at]
    if not able:
        return 0
    if len(able) == 1 and cosines[able[0]] > stands_out + reach:
        return able[0]
    best, most = 0, cosines[0] + _WORDS_WEIGHT * share(0) + _STANDS_OUT
    for at in able:
        score = cosines[at] + _WORDS_WEIGHT * share(at)
        if score > most:
            best, most = at, score
    return best


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


# Tags, references, and the text between them: all that sanitised HTML has. A tag's values may hold a ">".
_TAG = re.compile(r"<[^<>\"]*(?:\"[^\"]*\"[^<>\"]*)*>")
_REFERENCE = re.compile(r"&#?\w+;")
_RUN = re.compile(rf"{_TAG.pattern}|{_REFERENCE.pattern}|[^<&]+|[<&]")


def mark(html: str, text: str, start: int, end: int) -> str:
    """Return `html` with the characters that are `text[start:end]` inside <mark>.

    `html` is sanitised and holds the characters of `text`, white space aside, in order. Every run of marked text gets
    a <mark> of its own, so that the tags stay nested. Its other bytes stay as they are.
    """
    first = _visible(text[:start])
    last = first + _visible(text[start:end])
    if first == last:
        return html
    whole = text[start:end].strip()
    at = html.find(whole) if "<" not in whole and "&" not in whole and "&nbsp;" not in html else -1
    if at >= 0 and _shown(html[:at]) == first:  # no tag in it, as is usual
        return f"{html[:at]}<mark>{whole}</mark>{html[at + len(whole) :]}"
    out: list[str] = []
    seen = 0
    for run in _RUN.findall(html):
        before, begin, stop = seen, 0, 0
        if run[0] == "&" and len(run) > 1:
            seen += run != "&nbsp;"
            stop = len(run) if first <= before < last else 0
        elif run[0] != "<" or len(run) == 1:
            seen += _visible(run)
            marked, beyond = max(first, before), min(last, seen)
            if marked < beyond:
                begin, stop = _place(run, marked - before), _place(run, beyond - before - 1) + 1
        if stop:
            out += [run[:begin], "<mark>", run[begin:stop], "</mark>", run[stop:]]
        else:
            out.append(run)
    return "".join(out).replace("</mark><mark>", "")


def _visible(text: str) -> int:
    return len("".join(text.split()))


def _shown(html: str) -> int | None:
    """Return how many visible characters the beginning of some HTML has; None if it ends in a tag or reference."""
    text = _REFERENCE.sub("x", _TAG.sub("", html))
    return None if "<" in text or "&" in text else _visible(text)


def _place(run: str, number: int) -> int:
    """Return where in a run the visible character with this number, from 0, stands."""
    ends = list(accumulate(map(len, run.split())))
    word = bisect_right(ends, number)
    rest = run.split(None, word)[word]
    return len(run) - len(rest) + number - (ends[word - 1] if word else 0)
