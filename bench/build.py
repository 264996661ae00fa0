"""Measure builds of 10,000 entries made of real ones: the first, 1% changed, unchanged; encoding beside the plain way.

    python bench/build.py ../shared/eval/zoomcamp ../shared/eval/covidbert ... [--entries N] [--repeats N] [--json FILE]
                          [--folder FOLDER]

A question is the beginning of one real question and the end of another, a sentence likewise, so that entries and nearly
all of their texts are distinct, and read and encode like real ones. An entry that changes is replaced whole. A build is
a process of its own, timed from its start to its exit. In a `--folder` that is kept, the first build of another run
finds its vectors there.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from retriever.defaults import DEFAULT_MODEL
from retriever.encoder import find_model, load_encoder
from retriever.passages import entry_text, passages_of, sentences
from retriever.readers import read_corpus

Pair = tuple[str, str]
FILES = 40
FORMATS = ("md", "md", "jsonl", "csv", "txt")
EXPORTS = Path("~/.cache/retriever/encoders").expanduser()


class Maker:
    """New entries without end, out of the questions and sentences of test sets."""

    def __init__(self, sets: Sequence[Path], seed: int) -> None:
        lines = [json.loads(line) for s in sets for line in (s / "corpus.jsonl").read_text("utf-8").splitlines()]
        self._questions = list({" ".join(line["title"].split()): None for line in lines})
        self._sentences = list({s: None for line in lines for s in _sentences(line["text"])})
        self._random = random.Random(seed)
        self._made: set[str] = set()

    def entry(self) -> Pair:
        """Return a question that was not made before, and an answer of one to three paragraphs."""
        while (question := self._joined(self._questions).rstrip("?!. ") + "?") in self._made:
            pass
        self._made.add(question)
        paragraphs = [self._paragraph() for _ in range(self._random.choice((1, 1, 2, 3)))]
        return question, "\n\n".join(paragraphs)

    def _paragraph(self) -> str:
        return " ".join(self._joined(self._sentences) + "." for _ in range(self._random.choice((1, 2, 2, 3))))

    def _joined(self, texts: Sequence[str]) -> str:
        first, second = (self._random.choice(texts).split() for _ in range(2))
        return " ".join(first[: (len(first) + 1) // 2] + second[len(second) // 2 :]).rstrip(".")


def _sentences(text: str) -> list[str]:
    """Return what reads the same in every format: words of letters, without marks."""
    found = ["".join(c for c in text[start:end] if c.isalnum() or c in " ,.'-") for start, end in sentences(text)]
    return [" ".join(sentence.split()) for sentence in found if 4 <= len(sentence.split()) <= 40]


def write_corpus(entries: Sequence[Pair], folder: Path) -> None:
    """Write `entries` over the files of a corpus, in the formats that are read."""
    for number in range(FILES):
        suffix = FORMATS[number % len(FORMATS)]
        (folder / f"part-{number:02}.{suffix}").write_text(_WRITERS[suffix](entries[number::FILES]), encoding="utf-8")


def _markdown(entries: Sequence[Pair]) -> str:
    return "# Questions\n\n" + "\n".join(f"## {question}\n\n{answer}\n" for question, answer in entries)


def _json_lines(entries: Sequence[Pair]) -> str:
    return "\n".join(json.dumps({"question": question, "answer": answer}) for question, answer in entries)


def _csv(entries: Sequence[Pair]) -> str:
    sheet = io.StringIO()
    csv.writer(sheet).writerows([("question", "answer"), *entries])
    return sheet.getvalue()


def _text(entries: Sequence[Pair]) -> str:
    return "\n".join(f"-\n{question}\n{answer}" for question, answer in entries)


_WRITERS: dict[str, Callable[[Sequence[Pair]], str]] = {
    "md": _markdown,
    "jsonl": _json_lines,
    "csv": _csv,
    "txt": _text,
}


def timed_build(folder: Path) -> dict[str, Any]:
    """Run `retriever build` and return its report, with the seconds from its start to its exit."""
    command = [sys.executable, "-m", "retriever", "build", "--json"]
    command += ["--corpus", str(folder / "corpus"), "--index", str(folder / "index")]
    began, before = time.perf_counter(), os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    wall, after = time.perf_counter() - began, os.times()
    if done.returncode:
        sys.exit(f"the build failed:\n{done.stderr[-2000:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout) | {"wall_s": wall, "cpu_s": cpu}


def measure_builds(maker: Maker, count: int, repeats: int, folder: Path) -> dict[str, Any]:
    """Return what the first build, builds of 1% changed and builds of nothing changed took."""
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    entries = [maker.entry() for _ in range(count)]
    write_corpus(entries, folder / "corpus")
    found: dict[str, list[dict[str, Any]]] = {"first": [timed_build(folder)]}
    for repeat in range(repeats):
        for name, places in {
            "1% changed, all in one file": range(repeat, count, FILES)[: count // 100],
            "1% changed, some in every file": range(repeat, count, 99)[: count // 100],
        }.items():
            for at in places:
                entries[at] = maker.entry()
            write_corpus(entries, folder / "corpus")
            found.setdefault(name, []).append(timed_build(folder))
        found.setdefault("unchanged", []).append(timed_build(folder))
    return {name: _summary(builds) for name, builds in found.items()}


def _summary(builds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    walls = [round(build["wall_s"], 3) for build in builds]
    last = builds[-1]
    return {
        "wall_s": statistics.median(walls),
        "walls_s": walls,
        "cpu_s": round(statistics.median(build["cpu_s"] for build in builds), 3),
        "published": last["published"],
        "entries": last["counts"]["entries"],
        "passages": last["counts"]["passages"],
        "encoded": last["encoded"],
    }


def measure_encoding(sets: Sequence[Path], repeats: int) -> dict[str, Any]:
    """Return texts a second by the product and by sentence-transformers, in turn, on the passages of each set."""
    from sentence_transformers import SentenceTransformer

    threads = os.cpu_count() or 1
    encoder = load_encoder(exports=EXPORTS, threads=threads)
    plain = SentenceTransformer(str(find_model(DEFAULT_MODEL)), device="cpu")
    found: dict[str, Any] = {}
    for folder in sets:
        for name, texts in _texts_of(folder, encoder.fit).items():
            ways: dict[str, Callable[[], object]] = {
                "retriever": lambda texts=texts: encoder.encode(texts, "passage"),
                "sentence-transformers": lambda texts=texts: plain.encode(texts, show_progress_bar=False),
            }
            rates = {way: [] for way in ways}
            for _ in range(repeats + 1):  # the first is not counted
                for way, encode in ways.items():
                    began = time.perf_counter()
                    encode()
                    rates[way].append(len(texts) / (time.perf_counter() - began))
            medians = {way: round(statistics.median(values[1:]), 1) for way, values in rates.items()}
            ratio = statistics.median(a / b for a, b in list(zip(*rates.values(), strict=True))[1:])
            found[f"{folder.name}, {name}"] = {"texts": len(texts), **medians, "ratio": round(ratio, 2)}
    return {"threads": threads, "sets": found}


def _texts_of(folder: Path, fit: Callable[[str], int]) -> dict[str, list[str]]:
    """Return passages of a set in the order in which a corpus has them: a share of all, and whole entries alone."""
    with tempfile.TemporaryDirectory() as aside:
        rows = [json.loads(line) for line in (folder / "corpus.jsonl").read_text("utf-8").splitlines()]
        lines = [json.dumps({"question": row["title"], "answer": row["text"]}) for row in rows]
        (Path(aside) / "set.jsonl").write_text("\n".join(lines), encoding="utf-8")
        entries = read_corpus([Path(aside)]).entries[:30]
    texts = {passage.text: None for entry in entries for passage in passages_of(entry, fit)}
    return {"all passages": list(texts), "whole entries": [entry_text(entry) for entry in entries]}


def tables(found: dict[str, Any]) -> str:
    """Return what was measured as Markdown."""
    lines = ["| build | entries | passages | encoded | wall s | CPU s |", "|---|---|---|---|---|---|"]
    for name, row in found["builds"].items():
        figures = (f"{row[key]:,}" for key in ("entries", "passages", "encoded"))
        lines.append(f"| {name} | {' | '.join(figures)} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} |")
    lines += ["", "| passages a second | texts | retriever | sentence-transformers | ratio |", "|---|---|---|---|---|"]
    for name, row in found["encoding"]["sets"].items():
        rates = f"{row['retriever']:.0f} | {row['sentence-transformers']:.0f}"
        lines.append(f"| {name} | {row['texts']} | {rates} | {row['ratio']:.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, and print JSON and Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, help="folders in BEIR's layout")
    parser.add_argument("--entries", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep corpus and index here")
    parser.add_argument("--json", type=Path, help="write what was measured here too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        builds = measure_builds(Maker(given.sets, 13), given.entries, given.repeats, given.folder or Path(aside))
    found = {"builds": builds, "encoding": measure_encoding(given.sets[:2], given.repeats)}
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    print(tables(found))


if __name__ == "__main__":
    main()
