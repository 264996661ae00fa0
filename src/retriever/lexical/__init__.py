"""The words of entries, on an absolute scale: how much of a question an entry holds, exact codes, and spelling.

bm25s computes the scores of terms in entries; this room turns a question into terms and adds the terms' columns. A
*share* is a BM25 score divided by what an entry holding every term at full weight would get: 0 to 1 whatever the
question, so that shares of two questions compare.
"""

from retriever.lexical.asked import Asked, LexicalScores
from retriever.lexical.columns import Column, Share, TermIndex
from retriever.lexical.documents import Documents
from retriever.lexical.index import Lexical, write_lexical
from retriever.lexical.spelling import Spelling
from retriever.lexical.terms import Analyzer, is_code, keys_of

__all__ = [
    "Analyzer",
    "Asked",
    "Column",
    "Documents",
    "Lexical",
    "LexicalScores",
    "Share",
    "Spelling",
    "TermIndex",
    "is_code",
    "keys_of",
    "write_lexical",
]
