"""A pair that a page holds twice, as data and as text or in two places → one pair, and what the ledger says of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from retriever.readers.drafts import Note
from retriever.readers.html.pairs import Pair

Letters = Callable[[Pair], str]
"""Returns the letters and digits of a pair's answer."""

# Below this share of the other's length, an answer is a piece of it.
_WHOLE = 0.6
_SAMPLE = 2_000


def merge(shown: list[Pair], data: list[Pair], letters: Letters) -> tuple[list[Pair], list[Note]]:
    """Return the pairs without those that say the same twice; `shown` are on the page, `data` in its JSON-LD."""
    shown, repeated = _once(shown, letters)
    data, copied = _once(data, letters)
    by_key: defaultdict[str, list[Pair]] = defaultdict(list)
    by_answer: dict[str, Pair] = {}
    for pair in shown:
        by_key[pair.key].append(pair)
        if len(letters(pair)) > 20:
            by_answer.setdefault(letters(pair), pair)
    alone: list[Pair] = []
    merged: list[int] = []
    differing: list[tuple[int, int]] = []
    for pair in data:
        twins = by_key.get(pair.key) or [twin for twin in [by_answer.get(letters(pair))] if twin]
        if not twins:
            alone.append(pair)
            continue
        twin = max(twins, key=lambda other: _alike(letters(other), letters(pair)))
        if letters(pair) and not _join(twin, pair, letters):
            differing.append((twin.line, pair.line))
        merged.append(twin.line)
    return shown + alone, [*_notes(merged, differing, repeated + copied)]


def _join(twin: Pair, pair: Pair, letters: Letters) -> bool:
    """Add to a pair on the page what the data knows besides; return whether their answers agree."""
    own, other = letters(twin), letters(pair)
    if pair.key != twin.key:
        twin.alternates = (*twin.alternates, pair.question)
    twin.anchor = twin.anchor or pair.anchor
    twin.lang = twin.lang or pair.lang
    agree = _alike(own, other) > _WHOLE or own in other or other in own
    if len(own) < _WHOLE * len(other) and (own in other or not own or _alike(own, other[: len(own)]) > _WHOLE):
        twin.html, twin.answer = pair.html, ()
        return True
    return agree


def _alike(one: str, other: str) -> float:
    """Return which share of pairs of letters two texts have in common."""
    first, second = _shingles(one), _shingles(other)
    common = sum((first & second).values())
    return 2 * common / max(1, sum(first.values()) + sum(second.values()))


def _shingles(text: str) -> Counter[str]:
    text = text[:_SAMPLE]
    return Counter(text[place : place + 3] for place in range(max(1, len(text) - 2)))


def _once(pairs: list[Pair], letters: Letters) -> tuple[list[Pair], list[int]]:
    """Return the pairs without later copies, and the lines of those; an empty copy gives way to a full one."""
    full = {pair.key for pair in pairs if letters(pair)}
    seen: set[tuple[str, str]] = set()
    kept: list[Pair] = []
    repeated: list[int] = []
    for pair in pairs:
        content = pair.key, letters(pair)
        if content in seen or (not content[1] and pair.key in full):
            repeated.append(pair.line)
            continue
        seen.add(content)
        kept.append(pair)
    return kept, repeated


def _notes(merged: list[int], differing: list[tuple[int, int]], repeated: list[int]) -> list[Note]:
    notes = []
    if merged:
        notes.append(
            Note(f"{count(merged, 'question')} of the page and of its JSON-LD: taken once, from {place(merged)}")
        )
    notes.extend(
        Note(f"the answer in line {shown} differs from that of the JSON-LD in line {data}: the page's is taken")
        for shown, data in differing[:20]
    )
    if repeated:
        notes.append(Note(f"{count(repeated, 'question')} that the page holds twice: taken once ({place(repeated)})"))
    return notes


def count(lines: list[int], what: str) -> str:
    """Return how many things there are, in words: `1 question`, `3 questions`."""
    return f"{len(lines)} {what}{'' if len(lines) == 1 else 's'}"


def place(lines: list[int]) -> str:
    """Return where things stand: `line 3`, `lines 3, 9 and more`."""
    distinct = sorted(set(lines))
    shown = ", ".join(map(str, distinct[:8])) + (" and more" if len(distinct) > 8 else "")
    return f"{'line' if len(distinct) == 1 else 'lines'} {shown}"
