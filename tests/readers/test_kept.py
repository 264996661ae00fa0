"""A file that has not changed is not read again, and one that has, or that could be read otherwise, is."""

import json

import pytest

from retriever.readers import corpus as reading
from retriever.readers import kept as keeping
from retriever.readers import read_corpus
from retriever.readers.children import Children

MARKDOWN = "# Shop\n\nWe sell.\n\n## May I return it?\n\nYes, *any* day.\n\n## Empty?\n"


@pytest.fixture
def corpus(tmp_path):
    """Two files that read well, and one that does not."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "shop.md").write_text(MARKDOWN)
    (folder / "post.jsonl").write_text(json.dumps({"question": "Free?", "answer": "Yes.", "colour": 7}) + "\nrotten\n")
    (folder / "bad.json").write_text("7")
    return folder


@pytest.fixture
def read(corpus, monkeypatch):
    """Read the corpus, and return what came of it with the names of the files that a child was asked to read."""

    def once(kept, **options):
        asked = []

        class Listening(Children):
            def parse(self, job, data, **more):
                asked.append(job.name)
                return super().parse(job, data, **more)

        children = Listening()
        monkeypatch.setattr(reading, "CHILDREN", children)
        found = read_corpus([corpus], kept=kept, **options)
        children.close()
        return found, sorted(asked)

    return once


def test_what_was_read_before_comes_back_as_it_was(read):
    kept = {}
    first, _ = read(kept)
    second, asked = read(kept)
    assert second == first
    assert asked == ["bad.json"]


def test_only_the_file_that_changed_is_read_again(read, corpus):
    kept = {}
    read(kept)
    (corpus / "shop.md").write_text(MARKDOWN.replace("any", "every"))
    found, asked = read(kept)
    assert asked == ["bad.json", "shop.md"]
    assert any("every" in entry.answer[0].text for entry in found.entries)


def test_a_file_under_another_name_is_read_again(read, corpus):
    kept = {}
    read(kept)
    (corpus / "shop.md").rename(corpus / "store.md")
    found, asked = read(kept)
    assert asked == ["bad.json", "store.md"]
    assert "shop.md" not in {entry.source.file for entry in found.entries}


def test_another_language_reads_all_again(read):
    kept = {}
    read(kept)
    found, asked = read(kept, lang="de")
    assert len(asked) == 3
    assert {entry.lang for entry in found.entries} == {"de"}


def test_other_code_reads_all_again(read, monkeypatch, tmp_path):
    kept = {}
    read(kept)
    changed = tmp_path / "changed.py"
    changed.write_text("# a reader that was mended")
    monkeypatch.setattr(keeping, "_CODE", (*keeping._CODE, changed))
    keeping._readers.cache_clear()
    try:
        assert len(read(kept)[1]) == 3
    finally:
        keeping._readers.cache_clear()


def test_another_version_of_a_package_reads_all_again(read, monkeypatch, tmp_path):
    kept = {}
    read(kept)
    (tmp_path / "nh3-99.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    keeping._readers.cache_clear()
    try:
        assert len(read(kept)[1]) == 3
    finally:
        keeping._readers.cache_clear()


def test_a_reading_that_is_damaged_is_made_again(read):
    kept = {}
    first, _ = read(kept)
    for key in kept:
        kept[key] = kept[key][:-1]
    second, asked = read(kept)
    assert second == first
    assert len(asked) == 3


def test_what_the_corpus_no_longer_holds_is_forgotten(read, corpus):
    kept = {}
    read(kept)
    held = len(kept)
    (corpus / "post.jsonl").unlink()
    read(kept)
    assert len(kept) == held - 1
