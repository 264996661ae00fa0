"""A tiny corpus, a build with the hashing encoder, and the real encoder, loaded once."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hashing import HashingEncoder
from retriever.build import BuildReport, build
from retriever.encoder import OnnxEncoder, load_encoder
from retriever.search import Searcher

ENTRIES = [
    {"question": "How long does shipping take?", "answer": "Two days.\n\nIslands wait a week.", "tags": ["post"]},
    {"question": "May I return a parcel?", "answer": "Yes, within a month.", "alternates": ["Send it back?"]},
    {"question": "Which cards do you accept?", "answer": "All of them.", "tags": ["money"], "lang": "de"},
]
PAGE = "We are a small shop by the sea.\n-\nWhen do you open?\nAt nine.\n"


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Four entries and a page text, in two files."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "shop.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in ENTRIES))
    (folder / "about.txt").write_text(PAGE)
    return folder


@pytest.fixture
def index(tmp_path) -> Path:
    """Where `run_build` publishes: a folder that is not there yet."""
    return tmp_path / "index"


@pytest.fixture
def run_build(corpus, index) -> Callable[..., BuildReport]:
    """Build the corpus, or other paths, with the hashing encoder or another."""

    def run(*paths: Path, to: Path = index, encoder: object = None, keep: int = 5) -> BuildReport:
        return build(paths or [corpus], to, encoder or HashingEncoder(), lang="en", keep=keep, progress=lambda *_: None)

    return run


@pytest.fixture
def searcher(run_build, index):
    """The tiny corpus, open to be asked."""
    run_build()
    searcher = Searcher.open(index, HashingEncoder())
    yield searcher
    searcher.close()


@pytest.fixture(scope="session", autouse=True)
def encoders(tmp_path_factory):
    """Where exported encoders are kept, by the commands that tests run too: one export serves them all."""
    folder = tmp_path_factory.mktemp("encoders")
    os.environ["RETRIEVER_ENCODERS"] = str(folder)
    yield folder
    del os.environ["RETRIEVER_ENCODERS"]


@pytest.fixture(scope="session")
def real_encoder(encoders) -> OnnxEncoder:
    """The default model, as it is exported."""
    return load_encoder(exports=encoders, threads=2)
