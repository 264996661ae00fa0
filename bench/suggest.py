"""How many characters somebody types until the question that they mean is among six suggestions.

    python bench/suggest.py [CORPUS ...] [--count N]
    python bench/suggest.py --index INDEX [--count N]       how long a server of an index takes for each character

For each of N questions of a corpus, spread over it: typed from its first letter; from its second half on, as somebody
does who has other words for the first; its rarest words alone, as one types into a search box; and each of these with
one slip, a letter wrong, missing, doubled or exchanged with the next, among the first dozen. A question is found once
it, or an entry that asks the same, is among the six.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import numpy as np

from load import Client
from material import ROOT
from retriever.guard import FUNCTION_WORDS
from retriever.readers.corpus import read_corpus
from retriever.snapshot import open_snapshot
from retriever.suggest import Suggester, index_questions
from retriever.types import Entry
from servers import System, running

SHOWN = 6
AFTER = (4, 8, 12, 16, 24)
_SEED = 20
_MOST_TYPED = 40


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def whole(question: str, _held: Counter[str]) -> str:
    """Return the question as it stands."""
    return question


def second_half(question: str, _held: Counter[str]) -> str:
    """Return the words of its second half."""
    words = question.split()
    return " ".join(words[len(words) // 2 :])


def rarest(question: str, held: Counter[str]) -> str:
    """Return its three rarest words, as they come."""
    words = [word for word in dict.fromkeys(words_of(question)) if word not in FUNCTION_WORDS]
    few = sorted(words, key=lambda word: held[word])[:3]
    return " ".join(word for word in words if word in few)


def slipped(text: str, rng: random.Random) -> str:
    """Return `text` with one slip among the first dozen characters."""
    places = [at for at in range(1, min(len(text) - 1, 12)) if text[at].isalpha() and text[at + 1].isalpha()]
    if not places:
        return text
    at = rng.choice(places)
    return rng.choice(
        (
            text[:at] + rng.choice("etaoinsrhl") + text[at + 1 :],
            text[:at] + text[at + 1 :],
            text[:at] + text[at] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        )
    )


WAYS: Sequence[tuple[str, Callable[[str, Counter[str]], str]]] = (
    ("as it stands", whole),
    ("its second half", second_half),
    ("its rarest words", rarest),
)


def ranks(suggester: Suggester, entries: Sequence[Entry], asked: str, question: str) -> list[int]:
    """Return for each length of what is typed the rank of the question, from 1; 0 where it is not among those shown."""
    found = []
    for end in range(1, len(asked) + 1):
        shown = [
            (entries[ordinal].question, *entries[ordinal].alternates)[number]
            for ordinal, number in suggester.look_up(asked[:end]).best(SHOWN)
        ]
        same = [rank for rank, text in enumerate(shown, start=1) if words_of(text) == words_of(question)]
        found.append(same[0] if same else 0)
    return found


def report(name: str, entries: Sequence[Entry], suggester: Suggester, count: int) -> str:
    """Return a table of what was measured."""
    held = Counter(word for entry in entries for word in set(words_of(entry.question)))
    picked = np.linspace(0, len(entries) - 1, min(count, len(entries)), dtype=int).tolist()
    rng = random.Random(_SEED)
    head = ["typed", "slip", "characters", *(f"after {n}" for n in AFTER), "at the end", "MRR then"]
    rows = [head, ["---"] * len(head)]
    for way, make in WAYS:
        for slip in (False, True):
            typed = [(make(entries[at].question, held), entries[at].question) for at in picked]
            typed = [(slipped(text, rng) if slip else text, question) for text, question in typed if text.strip()]
            found = [ranks(suggester, entries, text, question) for text, question in typed]
            rows.append([way, "one" if slip else "none", *_figures(found)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{name}: {len(entries)} entries, {len(picked)} questions typed\n\n{table}"


def _figures(found: Sequence[Sequence[int]]) -> list[str]:
    """Return the median of characters until a question stays found, shares found, and the mean reciprocal rank."""
    needed = [1 + max((n for n, rank in enumerate(one, 1) if not rank), default=0) for one in found]
    shares = [np.mean([bool(one[min(n, len(one)) - 1]) for one in found]) for n in AFTER]
    shares.append(np.mean([bool(one[-1]) for one in found]))
    mrr = np.mean([1 / one[-1] if one[-1] else 0 for one in found])
    return [f"{np.median(needed):g}", *(f"{share:.0%}" for share in shares), f"{mrr:.2f}"]


def served(index: Path, count: int) -> str:
    """Return what one client waits for `retriever serve` on `index` as it types questions, half of them with a slip."""
    with closing(open_snapshot(index)) as snapshot:
        places = np.linspace(0, len(snapshot.starts) - 2, count, dtype=int).tolist()
        questions = [snapshot.entry(at).question for at in places]
        entries = snapshot.manifest.counts.entries
    rng = random.Random(_SEED)
    asked = [slipped(text, rng) if at % 2 else text for at, text in enumerate(questions)]
    typed = [text[:end] for text in asked for end in range(1, min(len(text), _MOST_TYPED) + 1)]
    command = [sys.executable, "-m", "retriever", "serve", "--index", str(index), "--port"]
    system = System(
        name="retriever",
        command=lambda port: [*command, str(port)],
        request=_request,
        found=b'"suggestions":[{',
        first=lambda reply: str(reply["suggestions"][0]["question"]),
    )
    with tempfile.TemporaryDirectory() as folder, running(system, questions[0], Path(folder) / "log") as server:
        client, took, used = Client(server.port), [], server.cpu_seconds()
        for text in typed:
            began = time.perf_counter()
            status, _ = client.ask(_request(text))
            took.append((time.perf_counter() - began) * 1000)
            assert status == 200
        used = (server.cpu_seconds() - used) * 1000 / len(typed)
        client.close()
    p50, p95, p99 = np.percentile(took, (50, 95, 99))
    return (
        f"{entries:,} entries, {len(typed):,} characters of {count} questions typed by one client: "
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms; {used:.1f} ms of processor each; "
        f"first suggestion {server.start_s:.2f} s after the start"
    )


def _request(text: str) -> bytes:
    return f"GET /suggest?q={quote(text, safe='')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="*", type=Path, default=[ROOT / "corpus"])
    parser.add_argument("--count", type=int, default=200, help="how many questions of each")
    parser.add_argument("--index", type=Path, help="serve this index instead, and measure how long each takes")
    given = parser.parse_args()
    if given.index:
        print(served(given.index, given.count))
        return
    for path in given.corpus:
        entries = sorted((e for e in read_corpus([path]).entries if e.kind == "faq"), key=lambda entry: entry.id)
        with tempfile.TemporaryDirectory() as folder:
            index_questions(entries).write(Path(folder))
            print(report(str(path), entries, Suggester(Path(folder), FUNCTION_WORDS), given.count) + "\n")


if __name__ == "__main__":
    main()
