"""Corpus files → entries, one module a family of formats, and the ledger that says what became of each file."""

from retriever.readers.corpus import read_corpus

__all__ = ["read_corpus"]
