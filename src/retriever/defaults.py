"""Defaults and bounds, each once. Light, so that `--help` loads nothing else."""

from __future__ import annotations

DEFAULT_MODEL = "all-MiniLM-L6-v2"
BEST_MODEL = "all-MiniLM-L6-v2+bge-small-en-v1.5"
"""What `--model best` is: two encoders side by side."""

MAX_QUESTION = 1000
"""Characters that a question may have: more is a document, not a question."""
DEFAULT_K = 5
MAX_K = 50
DEFAULT_SUGGESTED = 6

# On public FAQ sets that the curves had not seen, this keeps 94% of the questions that have an answer and rejects 97%
# of those from another domain: docs/evaluation.md.
DEFAULT_MIN_CONFIDENCE = 0.3
DEFAULT_MESSAGE = "No entry answers this well enough. Another wording may help."

DEFAULT_TITLE = "Frequently asked questions"
DEFAULT_LANG = "en"
DEFAULT_KEEP = 5
DEFAULT_REVIEW_DAYS = 365
# A question has at most 1,000 characters, 12 bytes each where JSON escapes them, and filters are short.
DEFAULT_MAX_BODY = 64 * 1024
# A question takes 2 to 5 ms, so the last of these waits a third of a second at most: later, askers have given up.
DEFAULT_QUEUE = 64
# Under 2 kB each; encoding is near half of what a question takes.
DEFAULT_REMEMBER = 1000

DEFAULT_FEEDBACK = "feedback.sqlite"
# A season's questions come back within a year.
DEFAULT_FEEDBACK_DAYS = 365
REPLAYED = 200
"""How many questions that were asked before a build replays: 2 s at 5 ms each, on the old snapshot and the new."""


def off_topic_questions() -> list[str]:
    """Return the shipped questions, which have nothing in common with each other or with most corpora."""
    from importlib.resources import files

    return files("retriever").joinpath("offtopic.txt").read_text(encoding="utf-8").splitlines()
