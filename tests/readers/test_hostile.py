"""Files that break readers: each has its line in the ledger, and the good ones beside it are indexed whole."""

import importlib.util
import time
from pathlib import Path

import pytest

from retriever.readers import parsing, read_corpus
from retriever.readers.files import MAX_FILE_BYTES
from retriever.readers.jobs import Job
from retriever.types import Corpus, FileReport

_spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
hostile = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hostile)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "corpus"
    return folder, hostile.write_hostile(folder)


@pytest.fixture(scope="module")
def read(written) -> Corpus:
    return read_corpus([written[0]])


def outcome(report: FileReport) -> str:
    if report.refused:
        return "partly" if report.indexed else "refused"
    if report.indexed:
        return "indexed"
    return "page" if report.pages else "passed over"


def test_there_are_more_than_thirty(written):
    assert len(written[1]) > 30


def test_each_file_has_the_outcome_that_is_expected(written, read):
    expected = {name: what for name, what in written[1].items() if what != "unseen"}
    assert {report.file: outcome(report) for report in read.ledger} == expected


def test_each_file_has_one_ledger_line(read):
    names = [report.file for report in read.ledger]
    assert len(names) == len(set(names))


def test_every_line_of_the_ledger_adds_up(read):
    assert all(r.seen == r.indexed + r.merged + len(r.refused) for r in read.ledger)


def test_good_files_are_indexed_whole(read):
    indexed = {report.file: report.indexed for report in read.ledger}
    assert {name: indexed[name] for name in hostile.GOOD} == hostile.GOOD


def test_nothing_outside_the_corpus_is_read(read):
    assert not any("secret" in entry.question for entry in read.entries)


def test_no_script_is_left(read):
    html = "".join(paragraph.html for entry in read.entries for paragraph in entry.answer)
    assert "<script" not in html
    assert "onerror" not in html
    assert "javascript:" not in html.lower()


def test_every_reason_is_a_reason_of_ours(read):
    assert not [refusal for r in read.ledger for refusal in r.refused if "this reader failed" in refusal.reason]


def test_ids_are_unique(read):
    ids = [entry.id for entry in read.entries]
    assert len(ids) == len(set(ids))


def test_names_in_the_ledger_can_be_logged(read):
    assert all(report.file.isprintable() and report.file.encode() for report in read.ledger)


@pytest.mark.parametrize("name", [name for name in hostile.FILES if name != ".hidden.md"])
def test_each_file_alone_takes_under_two_seconds(written, name):
    path = written[0] / name
    if path.stat().st_size > MAX_FILE_BYTES:
        assert len(read_corpus([path]).ledger) == 1
        return
    start = time.process_time()
    assert parsing.parse(Job(name, path.suffix, name, "en", 100_000), path.read_bytes())
    assert time.process_time() - start < 2


def test_a_file_that_vanishes_costs_itself_alone(tmp_path):
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(f"# Is {name} there?\n\nYes.\n")

    def vanish(_done, _total, name):
        if name == "a.md":
            (tmp_path / name).unlink()

    read = read_corpus([tmp_path], progress=vanish)
    assert [(r.indexed, len(r.refused)) for r in read.ledger] == [(0, 1), (1, 0)]


@pytest.mark.parametrize("error", [AssertionError, RecursionError, ValueError])
def test_whatever_a_format_raises_is_that_files_refusal(monkeypatch, error):
    def broken(_text, _title):
        raise error("boom")
        yield

    monkeypatch.setitem(parsing.FORMATS, ".md", broken)
    parsed = parsing.parse(Job("a.md", ".md", "A", "en", 1_000), b"# A?")
    assert error.__name__ in parsed.refused[0].reason
