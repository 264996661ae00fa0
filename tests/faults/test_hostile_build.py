"""A corpus full of files that break readers is built all the same: what is good in it is indexed whole."""

import shutil

import pytest

from hashing import HashingEncoder
from readers.hostile import GOOD, write_hostile
from retriever.build import BuildReport, build
from retriever.search import Searcher
from retriever.types import Filters


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The index of the hostile folder, the report of its build, and the files that must have a line in it."""
    folder = tmp_path_factory.mktemp("hostile")
    expected = write_hostile(folder / "corpus")
    report = build([folder / "corpus"], folder / "index", HashingEncoder(), lang="en", keep=1, progress=lambda *_: None)
    yield folder / "index", report, {name for name, outcome in expected.items() if outcome != "unseen"}
    (folder / "corpus" / "mode-000.md").chmod(0o600)
    shutil.rmtree(folder)


def test_the_build_publishes(built):
    assert built[1].published


def test_each_file_has_one_ledger_line(built):
    report: BuildReport = built[1]
    assert sorted(row.file for row in report.ledger) == sorted(built[2])


def test_the_ledger_adds_up_to_the_counts(built):
    counts, ledger = built[1].counts, built[1].ledger
    assert counts.entries == sum(row.indexed for row in ledger)
    assert counts.refused == sum(len(row.refused) for row in ledger) > 30
    assert all(row.seen == row.indexed + row.merged + len(row.refused) for row in ledger)


@pytest.mark.parametrize(("file", "entries"), GOOD.items())
def test_good_files_are_indexed_whole_and_found(built, file, entries):
    searcher = Searcher.open(built[0], HashingEncoder())
    assert len(searcher.ask("anything", 50, Filters(source=(file,))).hits) == entries
    searcher.close()


def test_every_hit_of_it_can_be_shown(built):
    searcher = Searcher.open(built[0], HashingEncoder())
    for question in ("script", "html", "is it whole", "x", "yes"):
        assert all("<script" not in hit.answer.html for hit in searcher.ask(question, 50).hits)
    searcher.close()
