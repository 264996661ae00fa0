"""Read pages of questions with retriever and with two general converters, and write what each loses to docs/html.md.

    python bench/pages.py [--write] [FOLDER]

FOLDER holds pages, and beside each a JSON file of its pairs; the pages of tests/readers/html are read without one.
trafilatura and markitdown are installed into .bench/converters, an environment of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from retriever.readers import read_corpus
from retriever.readers.markup import paragraphs

ROOT = Path(__file__).parent.parent
PINNED = ("trafilatura==2.3.1", "lxml_html_clean", "markitdown==0.1.8")
Pairs = list[tuple[str, list[str]]]


@dataclass(frozen=True, slots=True)
class Kept:
    """Of a page's pairs: how many have all of their text in the output, how many are pairs in it, and what is not."""

    text: int
    pairs: int
    extra: int
    lost: tuple[str, ...] = ()


def main(arguments: Sequence[str]) -> None:
    folder = Path(next((given for given in arguments if given != "--write"), ROOT / "tests" / "readers" / "html"))
    pages = sorted(folder.glob("*.html"))
    wanted = {page.stem: expected(page) for page in pages}
    rows = {"retriever": {page.stem: ours(page, wanted[page.stem]) for page in pages}}
    for name, texts in convert(pages).items():
        rows[name] = {stem: theirs(text, wanted[stem]) for stem, text in texts.items()}
    table = as_table(rows, wanted)
    print(table)
    if "--write" in arguments:
        page = ROOT / "docs" / "html.md"
        before, _, rest = page.read_text(encoding="utf-8").partition("<!-- converters -->")
        after = rest.partition("<!-- /converters -->")[2]
        page.write_text(f"{before}<!-- converters -->\n\n{table}\n\n<!-- /converters -->{after}", encoding="utf-8")


def expected(page: Path) -> Pairs:
    pairs = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["pairs"]
    return [(pair["question"], pair["answer"]) for pair in pairs]


def read(page: Path) -> Pairs:
    entries = read_corpus([page]).entries
    return [(entry.question, [p.text for p in entry.answer]) for entry in entries if entry.kind == "faq"]


def ours(page: Path, wanted: Pairs) -> Kept:
    found = read(page)
    right = sum(pair in found for pair in wanted)
    return Kept(
        right, right, len(found) - right, tuple(question for question, _ in wanted if question not in dict(found))
    )


def theirs(text: str, wanted: Pairs) -> Kept:
    """Judge a converter's Markdown by the text in it, and by the pairs that retriever's Markdown reader finds in it."""
    # As written and as shown: the address of a link stands in the middle of a sentence.
    letters = bare(text) + " " + bare("".join(paragraph.text for paragraph in paragraphs(text, "markdown")))
    whole = [bare(question) in letters and all(bare(part) in letters for part in answer) for question, answer in wanted]
    with TemporaryDirectory() as folder:
        page = Path(folder) / "page.md"
        page.write_text(text, encoding="utf-8")
        found = [(bare(question), bare("".join(answer))) for question, answer in read(page)]
    right = sum((bare(question), bare("".join(answer))) in found for question, answer in wanted)
    return Kept(
        sum(whole), right, len(found) - right, tuple(lost(letters, pair) for pair in wanted if lost(letters, pair))
    )


def lost(letters: str, pair: tuple[str, list[str]]) -> str:
    question, answer = pair
    missing = [bare(part) not in letters for part in answer]
    if bare(question) not in letters:
        return "pair" if all(missing) else "question"
    return "answer" if all(missing) else "part of an answer" if any(missing) else ""


def bare(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def convert(pages: Sequence[Path]) -> dict[str, dict[str, str]]:
    place = ROOT / ".bench" / "converters"
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PINNED], check=True)
    program = [python, Path(__file__).with_name("converters.py"), *pages]
    done = subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def as_table(rows: dict[str, dict[str, Kept]], wanted: dict[str, Pairs]) -> str:
    own, *others = rows
    lines = [
        f"| page | pairs | {own} | " + " | ".join(f"{name}: text | pairs | lost" for name in others) + " |",
        "|---|---|---|" + "---|---|---|" * len(others),
    ]
    for stem, pairs in wanted.items():
        cells = [stem, str(len(pairs)), shown(rows[own][stem])]
        for name in others:
            kept = rows[name][stem]
            cells += [str(kept.text), shown(kept), counted(kept.lost)]
        lines.append("| " + " | ".join(cells) + " |")
    total = ["**all**", str(sum(map(len, wanted.values()))), summed(rows[own])]
    for name in others:
        everything = [lost for kept in rows[name].values() for lost in kept.lost]
        total += [str(sum(kept.text for kept in rows[name].values())), summed(rows[name]), counted(everything)]
    return "\n".join([*lines, "| " + " | ".join(total) + " |"])


def shown(kept: Kept) -> str:
    return f"{kept.pairs} (+{kept.extra})" if kept.extra else str(kept.pairs)


def summed(rows: dict[str, Kept]) -> str:
    kept = rows.values()
    return shown(Kept(0, sum(each.pairs for each in kept), sum(each.extra for each in kept)))


def counted(lost: Sequence[str]) -> str:
    return ", ".join(f"{lost.count(what)} × {what}" for what in sorted(set(lost)))


if __name__ == "__main__":
    main(sys.argv[1:])
