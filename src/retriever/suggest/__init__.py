"""Suggestions while somebody types: questions by their words, and by what words begin with; no model needed."""

from retriever.suggest.index import Questions, index_questions
from retriever.suggest.suggester import Suggester

__all__ = ["Questions", "Suggester", "index_questions"]
