"""What the servers are compared on: one corpus for all, and questions to ask of it."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from retriever.readers.corpus import read_corpus

ROOT = Path(__file__).parent.parent
WORK = ROOT / ".bench"
# Where the public FAQ sets lie, if they do; else the product's own corpus is taken.
_SET = ROOT.parent / "shared" / "eval" / "zoomcamp"


@dataclass(frozen=True)
class Material:
    """The corpus, and the file of questions, if one was given."""

    corpus: Sequence[Path]
    questions: Path | None

    @property
    def name(self) -> str:
        """What the corpus is called: by its folder."""
        path = self.corpus[0].resolve()
        return path.parent.name if path.is_file() else path.name

    @cached_property
    def entries(self) -> list[dict[str, str]]:
        """Question and answer of every entry, as the product reads them."""
        entries = [entry for entry in read_corpus(self.corpus).entries if entry.kind == "faq"]
        return [{"question": e.question, "answer": "\n\n".join(p.text for p in e.answer)} for e in entries]

    @cached_property
    def folder(self) -> Path:
        """Where what is made of these very entries is kept."""
        folder = WORK / hashlib.sha256(json.dumps(self.entries).encode()).hexdigest()[:12]
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @cached_property
    def documents(self) -> Path:
        """The entries as a file of JSON, for the other systems."""
        path = self.folder / "documents.json"
        path.write_text(json.dumps(self.entries), encoding="utf-8")
        return path

    @cached_property
    def asked(self) -> list[str]:
        """The questions given, or those beside the corpus, or else the entries' own."""
        file = self.questions or self.corpus[0].parent / "queries.jsonl"
        if not file.is_file():
            return [entry["question"] for entry in self.entries]
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [json.loads(line)["text"] for line in lines] if file.suffix == ".jsonl" else lines

    @property
    def probe(self) -> str:
        """The question of an entry that every system must find first: the longest."""
        return max((entry["question"] for entry in self.entries), key=len)


def parser_of(description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows what both benches take."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="replace what the repository shows")
    parser.add_argument("--corpus", type=Path, nargs="*", help="files and folders that all systems index")
    parser.add_argument("--questions", type=Path, help="a question a line, or BEIR's queries.jsonl")
    parser.add_argument("--serve", default="", help="options of `retriever serve`")
    return parser


def material_of(given: argparse.Namespace) -> Material:
    """Return the material that the command line names."""
    corpus = given.corpus or [_SET / "corpus.jsonl" if _SET.is_dir() else ROOT / "corpus"]
    return Material([path.resolve() for path in corpus], given.questions)
