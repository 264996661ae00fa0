"""Measure how the product grows: 1,000, 10,000, 100,000 and 1,000,000 entries, and write docs/scale.md.

    python bench/scale.py [--write] [--rungs 1000,10000] [--work FOLDER] SET...

Each SET is a folder in BEIR's layout. Entries are recombined from theirs: a question of one whose middle is another's,
and an answer of one or two real sentences. The vectors of those texts are recombined too, since encoding four million
texts would take hours: for every passage the vector of one real text of its kind, drawn towards another's, with noise.
The questions asked are the sets' own, with their own vectors. What is written, published, opened and searched is the
product's, by its own functions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import faiss
import msgspec
import numpy as np

from retriever.cache import VectorCache, keys_of
from retriever.confidence import PRIOR
from retriever.lexical import index_words
from retriever.passages import entry_text, sentences
from retriever.search import Searcher
from retriever.settings import load_settings
from retriever.snapshot import LINE, PASSAGE, build_lock, encode_entries, encode_passages, publish, write_facets
from retriever.suggest import index_questions
from retriever.types import Counts, Encoder, Entry, Filters, Paragraph, Passage, Source
from retriever.vectors import prepare_vectors
from retriever.wiring import load_encoder_of

DOCS = Path(__file__).parent.parent / "docs"
RUNGS = (1_000, 10_000, 100_000, 1_000_000)
_ASKED, _EXACT, _CHUNK = 200, 100, 20_000
_FLOOR = 0.06  # the usual cosine of texts that have nothing in common


# --- text and vectors ---------------------------------------------------------------------------------------------


class Material:
    """Real questions, sentences and their vectors, to recombine; and real questions to ask, with theirs."""

    def __init__(self, folders: Sequence[Path], encoder: Encoder, cache: Path) -> None:
        entries = [line for folder in folders for line in _lines(folder / "corpus.jsonl")]
        asked = [line["text"] for folder in folders for line in _lines(folder / "queries.jsonl")]
        rng = np.random.default_rng(11)
        self.questions = _some(rng, {entry["title"] for entry in entries}, 2000)
        found = {e["text"][a:b] for e in entries for a, b in sentences(e["text"]) if 20 <= b - a <= 300}
        self.sentences = _some(rng, found, 4000)
        self.asked = _some(rng, set(asked), _ASKED)
        with VectorCache(cache, encoder.spec) as known:
            self.question_vectors = _encoded(self.questions, encoder, known)
            self.sentence_vectors = _encoded(self.sentences, encoder, known)
        noise = rng.standard_normal((50_000, self.question_vectors.shape[1]), np.float32)
        self.noise = noise * np.float32(0.35 / np.sqrt(noise.shape[1]))
        self.asked_vectors = encoder.encode(self.asked, "query")

    def entries(self, start: int, end: int) -> Iterator[Entry]:
        """Yield the entries from `start` to `end`, which are the same whatever else is made."""
        for at in range(start, end):
            one, two, three, four, both = _drawn(at, len(self.questions), len(self.sentences))
            first, other = self.questions[one].split(), self.questions[two].split()
            half = len(first) // 2
            question = " ".join((*first[:half], *other[len(other) // 2 :], *first[half:]))
            text = " ".join((self.sentences[three], self.sentences[four]) if both else (self.sentences[three],))
            text = re.sub(r"\s+", " ", text)
            paragraph = Paragraph(text, f"<p>{text.replace('&', '&amp;').replace('<', '&lt;')}</p>")
            yield Entry(f"e{at:07}", question, (paragraph,), Source(f"{at // 10_000}.md", at % 10_000 + 1))

    def vectors(self, entries: Sequence[Entry], kinds: Sequence[str], owners: Sequence[int], seed: int) -> Any:
        """Return the vectors of passages, of `kinds` and of the entries at `owners`: real ones, mixed and perturbed."""
        rng = np.random.default_rng([13, seed])
        drawn = np.array([_drawn(int(e.id[1:]), len(self.questions), len(self.sentences)) for e in entries])
        question = self.question_vectors[drawn[:, 0]] + np.float32(0.6) * self.question_vectors[drawn[:, 1]]
        both = drawn[:, 4:].astype(np.float32)
        answer = self.sentence_vectors[drawn[:, 2]] + both * self.sentence_vectors[drawn[:, 3]]
        of_kind = {"question": question, "answer": answer, "sentence": answer, "entry": question + answer}
        kind, owner = np.asarray(kinds), np.asarray(owners)
        mixed = np.empty((len(kind), question.shape[1]), np.float32)
        for name, vectors in of_kind.items():
            mixed[kind == name] = _unit(vectors)[owner[kind == name]]
        mixed += self.noise[rng.integers(0, len(self.noise), len(mixed))]
        return _unit(mixed)


def _unit(vectors: Any) -> Any:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _some(rng: np.random.Generator, texts: set[str], most: int) -> list[str]:
    ordered = sorted(texts)
    return [ordered[at] for at in rng.permutation(len(ordered))[:most]]


def _drawn(at: int, questions: int, texts: int) -> tuple[int, int, int, int, int]:
    bits = int.from_bytes(hashlib.blake2b(at.to_bytes(8, "little"), digest_size=20).digest(), "little")
    parts = [bits >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96, 128)]
    return parts[0] % questions, parts[1] % questions, parts[2] % texts, parts[3] % texts, parts[4] % 2


def _encoded(texts: Sequence[str], encoder: Encoder, cache: VectorCache) -> Any:
    known, vectors = cache.get(keys_of(texts))
    new = [text for text, is_known in zip(texts, known, strict=True) if not is_known]
    for start in range(0, len(new), 256):
        part = new[start : start + 256]
        cache.put(keys_of(part), encoder.encode(part, "passage"))
    return cache.get(keys_of(texts))[1] if new else vectors


def _passages(entry: Entry) -> list[Passage]:
    """Return what the product cuts an entry into that fits the encoder's window."""
    (paragraph,) = entry.answer
    cut = list(sentences(paragraph.text))
    found = [Passage("question", entry.question, 1, 0, len(entry.question))]
    found.append(Passage("answer", paragraph.text, 1, 0, len(paragraph.text)))
    found += [Passage("sentence", paragraph.text[a:b], 1, a, b) for a, b in cut if len(cut) > 1]
    return [*found, Passage("entry", entry_text(entry), 1, 0, len(entry_text(entry)))]


# --- a rung: build ------------------------------------------------------------------------------------------------


def build_rung(count: int, material: Material, encoder: Encoder, index: Path) -> dict[str, Any]:
    """Publish `count` entries in `index` and return what it took. Nothing grows with them but files and the indexes."""
    took: dict[str, float] = {}
    shutil.rmtree(index, ignore_errors=True)
    made = index.parent / f"{index.name}.made"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    try:
        rows = _write_made(count, material, made)
        vectors = np.memmap(made / "vectors", np.float16, "r", shape=(rows, encoder.spec.dimension))
        passages = np.load(made / "passages.npy", mmap_mode="r")
        # The few that are compared one by one are kept whole.
        whole = vectors.astype(np.float32) if rows <= 100_000 else vectors
        began = time.perf_counter()
        prepared = prepare_vectors(whole, np.asarray(passages["kind"] != 3))
        took["vectors"] = time.perf_counter() - began

        def write(folder: Path) -> None:
            for name in ("entries.jsonl", "entries.npy", "passages.npy"):
                (made / name).rename(folder / name)
            write_facets(material.entries(0, count), folder)
            prepared.write(folder)
            start = time.perf_counter()
            index_words(material.entries(0, count), "en", encoder.words()).write(folder)
            index_questions(material.entries(0, count)).write(folder)
            took["words"] = time.perf_counter() - start
            for name, path in encoder.files.items():
                shutil.copyfile(path, folder / name)

        counts = Counts(1, count, 0, rows, 0, 0, 0)
        calibration = replace(PRIOR, floor=_FLOOR)
        with build_lock(index):
            manifest = publish(
                index, write, corpus="", encoder=encoder.spec, counts=counts, calibration=calibration, lang="en",
                keep=1, nearest=prepared.nearest,
            )  # fmt: skip
        took["build"] = time.perf_counter() - began
    finally:
        shutil.rmtree(made, ignore_errors=True)
    files = {path.name: path.stat().st_size for path in (index / "snapshots" / manifest.id).iterdir()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"entries": count, "passages": rows, "took_s": took, "files": files, "peak_memory": peak,
            "nearest": msgspec.to_builtins(prepared.nearest)}  # fmt: skip


def _write_made(count: int, material: Material, made: Path) -> int:
    """Write entries, passages and vectors, some thousand entries at once, and return how many passages there are."""
    tables, lines, offset, rows = [], [], 0, 0
    with (made / "entries.jsonl").open("wb") as texts, (made / "vectors").open("wb") as vectors:
        for start in range(0, count, _CHUNK):
            entries = list(material.entries(start, min(start + _CHUNK, count)))
            raw, table = encode_entries(entries)
            table["start"] += offset
            offset += len(raw)
            texts.write(raw)
            lines.append(table)
            cut = [(at, passage) for at, entry in enumerate(entries) for passage in _passages(entry)]
            tables.append(encode_passages([(start + at, passage) for at, passage in cut]))
            found = material.vectors(entries, [p.kind for _, p in cut], [at for at, _ in cut], start)
            vectors.write(found.astype(np.float16).data)
            rows += len(cut)
    np.save(made / "passages.npy", np.concatenate(tables).astype(PASSAGE))
    np.save(made / "entries.npy", np.concatenate(lines).astype(LINE))
    return rows


# --- a rung: open and ask -----------------------------------------------------------------------------------------


def memory_of(index: Path, encoder: Encoder) -> int:
    """Return the bytes that an open index takes of a process that has only just loaded its encoder."""
    before = _own_memory()
    searcher = Searcher.open(index, encoder)
    taken = _own_memory() - before
    searcher.close()
    return taken


def ask_rung(index: Path, material: Material, encoder: Encoder) -> dict[str, Any]:
    """Open `index` and measure questions, each part of one, and what a search finds of what all vectors would."""
    opened = []
    for _ in range(3):
        began = time.perf_counter()
        searcher = Searcher.open(index, encoder)
        opened.append(time.perf_counter() - began)
        if len(opened) < 3:
            searcher.close()
            del searcher
    snapshot, permit = searcher._snapshot, searcher._permit(Filters())
    parts: dict[str, list[float]] = {name: [] for name in ("ask", "encode", "words", "vectors", "spelling")}
    for question, vector in zip(material.asked, material.asked_vectors, strict=True):
        with Timed(parts["ask"]):
            searcher.ask(question, 10)
        with Timed(parts["encode"]):
            encoder.encode([question], "query")
        with Timed(parts["spelling"]):
            snapshot.lexical.correct(question)
        with Timed(parts["words"]):
            snapshot.lexical.look_up(question).best(30)
        with Timed(parts["vectors"]):
            snapshot.vectors.search(vector, 400, permit.rows)
    recall = _recall(snapshot, material.asked_vectors[:_EXACT])
    searcher.close()
    ms = {name: {"p50": _percent(took, 50), "p99": _percent(took, 99)} for name, took in parts.items()}
    return {"open_s": round(min(opened), 3), "open_all_s": [round(one, 3) for one in opened],
            "ms": ms, "recall@10": recall}  # fmt: skip


class Timed:
    """Add the milliseconds of processor that this thread took to a list: a busy machine changes them little."""

    def __init__(self, took: list[float]) -> None:
        self._took = took

    def __enter__(self) -> None:
        self._began = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self._took.append((time.thread_time() - self._began) * 1000)


def _percent(took: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(took, percent)), 2)


def _recall(snapshot: Any, asked: Any) -> float:
    """Return the share of the ten nearest rows, sentences aside, that a search finds of what comparing all finds."""
    searched = np.flatnonzero(snapshot.kinds != 3)
    scores, rows = np.zeros((len(asked), 0), np.float32), np.zeros((len(asked), 0), np.int64)
    for start in range(0, len(searched), 100_000):
        block = searched[start : start + 100_000]
        s, r = faiss.knn(asked, snapshot.vectors.get(block), min(10, len(block)), metric=faiss.METRIC_INNER_PRODUCT)
        scores, rows = np.hstack([scores, s]), np.hstack([rows, block[r]])
    best = np.take_along_axis(rows, np.argsort(-scores, axis=1, kind="stable")[:, :10], axis=1)
    found = [_unsaid(snapshot, query) for query in asked]
    return round(float(np.mean([len(np.intersect1d(f, b)) / 10 for f, b in zip(found, best, strict=True)])), 4)


def _unsaid(snapshot: Any, query: Any) -> Any:
    """Return the ten nearest rows that are no sentences."""
    rows = snapshot.vectors.search(query, 100).rows
    return rows[snapshot.kinds[rows] != 3][:10]


def _own_memory() -> int:
    """Return the bytes that this process holds for itself; what is mapped from files is everyone's."""
    match = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(match[1]) * 1024 if match else 0


# --- report -------------------------------------------------------------------------------------------------------


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    heads = ("entries", "passages", "build s", "of it words, vectors s", "build memory", "files", "a passage", "open s",
             "memory", "nearest", "recall@10")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        took, size = row["took_s"], sum(size for name, size in row["files"].items() if name not in _ENCODER)
        near = row["nearest"]
        how = {"exact": "all", "half": "all, halved"}.get(near["kind"]) or f"{near['probes']} of {near['lists']} lists"
        cells = (f"{row['entries']:,}", f"{row['passages']:,}", f"{took['build']:.1f}",
                 f"{took['words']:.1f}, {took['vectors']:.1f}", _bytes(row["peak_memory"]), _bytes(size),
                 f"{size / row['passages']:,.0f} B", f"{row['open_s']:.2f}", _bytes(row["memory"]), how,
                 f"{row['recall@10']:.3f}")  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    parts = ("ask", "encode", "spelling", "words", "vectors")
    lines += ["", f"| entries | {' | '.join(parts)} |", f"|{'---|' * (len(parts) + 1)}"]
    for row in rows:
        cells = (f"{row['ms'][part]['p50']:.2f} / {row['ms'][part]['p99']:.2f}" for part in parts)
        lines.append(f"| {row['entries']:,} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _bytes(count: float) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


_ENCODER = ("encoder.onnx", "encoder.json", "tokenizer.json")
_LINES = {
    "build, s": ("#9a5700", lambda row: row["took_s"]["build"]),
    "open, s": ("#00629a", lambda row: row["open_s"]),
    "memory, GiB": ("#2c7a2c", lambda row: max(row["memory"], 1) / 2**30),
    "ask p50, ms": ("#8a2c8a", lambda row: row["ms"]["ask"]["p50"]),
    "ask p99, ms": ("#c22", lambda row: row["ms"]["ask"]["p99"]),
}


def _plot(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how everything grows with the entries, as SVG; both axes are logarithmic."""
    wide, high, edge = 560, 420, 46
    least, most = -3, 4

    def x(value: float) -> float:
        return round(edge + (np.log10(value) - 3) / 3 * (wide - 2 * edge - 90), 1)

    def y(value: float) -> float:
        return round(high - edge - (np.log10(max(value, 10**least)) - least) / (most - least) * (high - 2 * edge), 1)

    drawn, taken = [], []
    for name, (colour, of) in _LINES.items():
        points = " ".join(f"{x(row['entries'])},{y(of(row))}" for row in rows)
        at = y(of(rows[-1])) + 4
        while any(abs(at - other) < 12 for other in taken):
            at += 3
        taken.append(at)
        drawn.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x(rows[-1]["entries"]) + 6}" y="{at}" fill="{colour}">{name}</text>'
        )
    ticks = "".join(f'<text x="{edge - 6}" y="{y(10**p) + 4}" text-anchor="end">{10**p:g}</text>' for p in range(-3, 5))
    ticks += "".join(f'<text x="{x(n)}" y="{high - 26}" text-anchor="middle">{n:,}</text>' for n in RUNGS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="11">'
        f'<rect width="{wide}" height="{high}" fill="#fff"/>'
        f'<path d="M{edge} {edge}V{high - edge}H{x(RUNGS[-1])}" fill="none" stroke="#888"/>{"".join(drawn)}{ticks}'
        f'<text x="{wide / 2 - 40}" y="{high - 8}" text-anchor="middle">entries</text></svg>\n'
    )


def _write(rows: Sequence[Mapping[str, Any]]) -> None:
    page = DOCS / "scale.md"
    section = f"<!-- scale -->\n\n{_table(rows)}\n\n<!-- /scale -->"
    text = re.sub(r"<!-- scale -->.*?<!-- /scale -->", lambda _: section, page.read_text("utf-8"), flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")
    (DOCS / "scale.svg").write_text(_plot(rows), encoding="utf-8")


# --- the ladder ---------------------------------------------------------------------------------------------------


def _step(what: str, count: int, folders: Sequence[Path], work: Path, results: Any) -> None:
    """Do one step of a rung. Each has a process of its own, so that its memory is its own."""
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    encoder = load_encoder_of(load_settings({}))
    index = work / str(count)
    taken = {} if what == "build" else {"memory": memory_of(index, encoder)}
    material = Material(folders, encoder, work / "material.cache")
    done = build_rung(count, material, encoder, index) if what == "build" else ask_rung(index, material, encoder)
    results.put(done | taken)


def _apart(what: str, count: int, folders: Sequence[Path], work: Path) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    child = context.Process(target=_step, args=(what, count, folders, work, results))
    child.start()
    child.join()
    if child.exitcode:
        raise SystemExit(f"{what} of {count:,} entries failed")
    found: dict[str, Any] = results.get()
    return found


def main() -> None:
    """Climb the ladder; results are kept in the work folder, so that rungs can be measured one by one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--rungs", default=",".join(map(str, RUNGS)))
    parser.add_argument("--work", type=Path, default=Path(".evaluate/scale"))
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    kept = given.work / "scale.json"
    rows = {row["entries"]: row for row in json.loads(kept.read_text())} if kept.exists() else {}
    for count in map(int, filter(None, given.rungs.split(","))):
        rows[count] = _apart("build", count, given.sets, given.work) | _apart("ask", count, given.sets, given.work)
        kept.write_text(json.dumps([rows[at] for at in sorted(rows)], indent=1))
    ladder = [rows[at] for at in sorted(rows)]
    print(_table(ladder))
    if given.write:
        _write(ladder)


if __name__ == "__main__":
    main()
