"""The words of entries, on an absolute scale: how much of a question an entry holds, exact codes, and spelling.

A build scores every term in every entry; a question is turned into terms, and their columns are added. A
*share* is a BM25 score divided by what an entry holding every term at full weight would get: 0 to 1 whatever the
question, so that shares of two questions compare.
"""

from retriever.lexical.asked import Asked
from retriever.lexical.columns import Column, Share, TermIndex
from retriever.lexical.index import Lexical, Words, index_words
from retriever.lexical.postings import Occurrences, bm25_columns
from retriever.lexical.spelling import Spelling
from retriever.lexical.terms import Analyzer, is_code, keys_of

__all__ = [
    "Analyzer",
    "Asked",
    "Column",
    "Lexical",
    "Occurrences",
    "Share",
    "Spelling",
    "TermIndex",
    "Words",
    "bm25_columns",
    "index_words",
    "is_code",
    "keys_of",
]
