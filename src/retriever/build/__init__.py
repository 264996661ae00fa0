"""Build an index from a corpus: read, cut into passages, encode what is new, publish."""

from retriever.build.encode import Progress
from retriever.build.report import BuildReport, Review
from retriever.build.run import build

__all__ = ["BuildReport", "Progress", "Review", "build"]
