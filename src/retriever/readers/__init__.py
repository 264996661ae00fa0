"""Corpus files → entries, one module a family of formats, and the ledger that says what became of each file."""

from retriever.readers.corpus import expect_changes, read_corpus
from retriever.readers.files import find_files
from retriever.readers.golden import findings, named, names_of, read_golden

__all__ = ["expect_changes", "find_files", "findings", "named", "names_of", "read_corpus", "read_golden"]
