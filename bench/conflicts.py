"""How often `lint` is right of conflicts, and how many it finds: made from real answers, of which one value is altered.

No public set that is measured here holds a conflict. So entries whose answers hold a number, a date or a yes or no are
taken as they are, and beside each a copy: with that one value altered, which must be found; or said otherwise, with
every value as it was, which must not. What is altered is found by rules of this file, not by those of the product.

    python bench/conflicts.py [--cases 60] [--show] SET...

A set is a folder in BEIR's layout; those of ../shared/eval unless named.
"""

import argparse
import json
import random
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from retriever.build import build
from retriever.encoder import load_encoder
from retriever.lint import lint
from retriever.search import encoder_of
from retriever.snapshot import open_snapshot

SETS = [Path(__file__).parents[2] / "shared" / "eval" / name for name in ("zoomcamp", "covidbert", "covidfaq")]
# A number in prose: not in an address, a path, a version or code.
NUMBER = re.compile(r"(?<![\w./:#@=%$€£+-])(?:\d{1,3}(?:,\d{3})+|\d{1,4})(?:\.\d)?(?![\w/:@=#+]|[.,]\d|-\w)")
CODE = re.compile(r"[{}<>=`|\\$_]|https?:|--\w|^\s*[-*\d]+[.)]?\s")
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
MONTHS += "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
DATE = re.compile(rf"\b({MONTHS})\.? (\d{{1,2}})(?!\d)(?:st|nd|rd|th)?|\b(\d{{1,2}})(?:st|nd|rd|th)? ({MONTHS})\b")
POLAR = re.compile(r"(Yes|No)(?=[,.!;:\s-])")
SPOKEN = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part.strip()]


def prose(answer: str) -> Iterator[str]:
    """Yield the sentences in which a value is a claim: none of code, none of a list's own numbers."""
    for sentence in sentences(answer):
        if len(sentence.split()) >= 6 and not CODE.search(sentence):
            yield sentence


# --- copies that contradict ---------------------------------------------------------------------------------------


def another_number(answer: str, dice: random.Random) -> str | None:
    for sentence in prose(answer):
        found = NUMBER.search(sentence)
        if found and not DATE.search(sentence) and not (found[0].isdecimal() and 1900 <= int(found[0]) <= 2100):
            value = float(found[0].replace(",", ""))
            other = f"{value + dice.randint(1, 9) * (1 if value < 100 else 10):g}"
            return answer.replace(sentence, sentence[: found.start()] + other + sentence[found.end() :], 1)
    return None


def another_date(answer: str, dice: random.Random) -> str | None:
    for sentence in prose(answer):
        if found := DATE.search(sentence):
            place = 2 if found[2] else 3
            day = (int(found[place]) + dice.randint(1, 20)) % 28 + 1
            day += day == int(found[place])
            start, end = found.span(place)
            altered = sentence[:start] + str(day) + re.sub(r"^(st|nd|rd|th)", "th", sentence[end:])
            return answer.replace(sentence, altered, 1)
    return None


def the_contrary(answer: str, _dice: random.Random) -> str | None:
    found = POLAR.match(answer)
    return {"Yes": "No", "No": "Yes"}[found[1]] + answer[found.end() :] if found else None


# --- copies that do not -------------------------------------------------------------------------------------------


def numbers_otherwise(answer: str, _dice: random.Random) -> str | None:
    """Write each number of a sentence another way: `10` as `ten`, `1,000` as `1000`."""

    def otherwise(found: re.Match[str]) -> str:
        text = found[0]
        if text in map(str, range(1, 13)):
            return SPOKEN[int(text)]
        return (
            text.replace(",", "")
            if "," in text
            else f"{int(text):,}"
            if text.isdecimal() and int(text) > 2100
            else text
        )

    for sentence in prose(answer):
        altered = sentence if DATE.search(sentence) else NUMBER.sub(otherwise, sentence)
        if altered != sentence:
            return answer.replace(sentence, altered, 1)
    return None


def date_otherwise(answer: str, _dice: random.Random) -> str | None:
    def otherwise(found: re.Match[str]) -> str:
        month, day = (found[1], found[2]) if found[2] else (found[4], found[3])
        return f"{int(day)} of {month}" if found[2] else f"{month} {int(day)}"

    return DATE.sub(otherwise, answer, count=1) if any(DATE.search(one) for one in prose(answer)) else None


def shorter(answer: str, _dice: random.Random) -> str | None:
    parts = sentences(answer)
    return "\n".join(parts[:-1]) if len(parts) > 2 and any(map(NUMBER.search, parts)) else None


def in_another_order(answer: str, dice: random.Random) -> str | None:
    parts = sentences(answer)
    if len(parts) < 3 or POLAR.match(answer) or not any(map(NUMBER.search, parts)):
        return None
    dice.shuffle(parts)
    return "\n".join(parts)


def with_more(answer: str, dice: random.Random) -> str | None:
    if not any(NUMBER.search(one) for one in prose(answer)):
        return None
    more = [
        "This answer was checked by 3 people.",
        "It is the 7th entry of this list.",
        "See page 12 of the handbook too.",
    ]
    return f"{answer}\n{dice.choice(more)}"


CONFLICTS: tuple[Callable[[str, random.Random], str | None], ...] = (another_number, another_date, the_contrary)
PARAPHRASES = (numbers_otherwise, date_otherwise, shorter, in_another_order, with_more)


def asked_otherwise(question: str, dice: random.Random) -> str:
    """Return the question as somebody else may have typed it, with the words that carry its matter."""
    bare = question.strip().rstrip("?.! ")
    return dice.choice(
        [question, bare, bare.lower() + "?", f"Q: {question}", f"{bare} ?", bare.replace("How do I", "How can I")]
    )


# --- cases --------------------------------------------------------------------------------------------------------


def cases(paths: list[Path], count: int, dice: random.Random) -> Iterator[tuple[str, bool, dict, dict]]:
    """Yield what was done, whether the two contradict each other, and the two: half of them do, each way as often."""
    entries = [json.loads(line) for path in paths for line in (path / "corpus.jsonl").read_text().splitlines()]
    dice.shuffle(entries)
    used: set[str] = set()
    for ways, wanted in ((CONFLICTS, count // 2), (PARAPHRASES, count - count // 2)):
        done: Counter[str] = Counter()
        for at in range(wanted * 3):
            way = ways[at % len(ways)]
            if sum(done.values()) < wanted and (made := _made(way, entries, used, dice)):
                done[way.__name__] += 1
                yield way.__name__, ways is CONFLICTS, *made


def _made(way: Callable, entries: list[dict], used: set[str], dice: random.Random) -> tuple[dict, dict] | None:
    for entry in entries:
        question = entry["title"].strip()
        if question in used or len(question.split()) < 3:
            continue
        altered = way(entry["text"], dice)
        if altered and altered != entry["text"]:
            used.add(question)
            return (
                {"question": question, "answer": entry["text"]},
                {"question": asked_otherwise(question, dice), "answer": altered},
            )
    return None


def found_in(pairs: list[tuple[dict, dict]]) -> list[str | None]:
    """Return of which kind is what `lint` says of each pair; None where it says nothing of the two."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        rows = [{"_id": f"{at}-{side}", **row} for at, pair in enumerate(pairs) for side, row in enumerate(pair)]
        (home / "faq.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        build([home / "faq.jsonl"], home / "index", load_encoder(), lang="en", keep=1, progress=lambda *_: None)
        snapshot = open_snapshot(home / "index")
        linted = lint(snapshot, encoder_of(snapshot), today=date.today(), review_days=365, progress=lambda *_: None)
        snapshot.close()
    found: dict[int, str] = {}
    for finding in linted.findings:
        if finding.kind in ("conflict", "duplicate") and finding.other:
            one, other = finding.entry_id.partition("-")[0], finding.other.entry_id.partition("-")[0]
            if one == other:
                found[int(one)] = finding.kind
    return [found.get(at) for at in range(len(pairs))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print each case that is judged wrongly")
    given = parser.parse_args()
    made = list(cases(given.sets or SETS, given.cases, random.Random(given.seed)))
    kinds = found_in([(one, other) for _, _, one, other in made])
    told = Counter((way, wanted, kind) for (way, wanted, _, _), kind in zip(made, kinds, strict=True))
    for way in dict.fromkeys(way for way, *_ in made):
        counts = {
            kind: sum(n for (w, _, k), n in told.items() if (w, k) == (way, kind))
            for kind in ("conflict", "duplicate", None)
        }
        print(
            f"{way:<20} {counts['conflict']:>3} conflict  {counts['duplicate']:>3} duplicate  {counts[None]:>3} nothing"
        )
    right = sum(kind == "conflict" and wanted for (_, wanted, _, _), kind in zip(made, kinds, strict=True))
    said = kinds.count("conflict")
    wanted = sum(wanted for _, wanted, _, _ in made)
    print(f"{len(made)} cases: precision {right}/{said}, recall {right}/{wanted}")
    for (way, wanted, one, other), kind in zip(made, kinds, strict=True):
        if given.show and wanted != (kind == "conflict"):
            print(f"\n{way}: {kind}")
            for row in (one, other):
                print(f"  {row['question']}\n    {row['answer'][:700]}")


if __name__ == "__main__":
    main()
