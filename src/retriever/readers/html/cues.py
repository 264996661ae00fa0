"""What words tell about a piece of a page: whether it asks, and whether it is about the page and no part of the FAQ."""

from __future__ import annotations

import re

from retriever.readers.drafts import one_line
from retriever.readers.headings import asks

__all__ = [
    "MAX_QUESTION",
    "MAX_SPOKEN",
    "asked",
    "asks",
    "ends_faq",
    "invites",
    "is_answer_mark",
    "is_question_mark",
    "key",
]

# Longer texts that ask are prose with a question in it; a question in markup of its own may be longer.
MAX_QUESTION = 300
MAX_SPOKEN = 1_000
# The page asks its reader, or invites: no entry, and what follows answers nothing that stood before.
_INVITES = re.compile(
    r"(?:was|is|did) (?:this|that|the) (?:\w+ )?(?:\w+ )?(?:helpful|useful|help|helped|answer)\b"
    r"|did you find (?:this|it|what|the)\b|how (?:helpful|useful) was|how (?:can|may) we (?:help|assist)"
    r"|what can we help|what are you looking for|looking for (?:something else|answers|help)"
    r"|(?:do you )?(?:still )?(?:have|got|any)(?: a| any| more| other| another| further)*(?: \w+)? questions?\W*$"
    r"|(?:still|any other|any more|more|other|further) questions?\W*$|questions?\?$"
    r"|(?:do you )?(?:still |you )?(?:need|want|require) (?:more |further |additional |some |any )*"
    r"(?:help|support|assistance)(?: \w+){0,2}\W*$"
    r"|(?:can[’']t|cannot|can not|couldn[’']t|didn[’']t|don[’']t|not) (?:you )?(?:find|see|finding)"
    r" (?:what you|(?:the|your|an)(?: \w+)? (?:answers?|information|articles?|questions?))"
    r"|(?:war|ist) (?:dieser|diese|das|der|die)(?: \w+)? (?:hilfreich|nützlich)"
    r"|(?:noch|haben sie noch)(?: \w+)? fragen\W*$"
    r"|cet? (?:article|réponse|page) (?:vous )?(?:a|était|est)(?:-t-\w+)?(?: \w+)? (?:utile|aidé)",
    re.IGNORECASE,
)
_FOUND_HELPFUL = re.compile(r"\d+ (?:out of|of|people)\b.{0,20}found this|found this (?:helpful|useful)", re.IGNORECASE)
_ENDS = re.compile(
    r"(?:related|similar|popular|recommended|recent(?:ly)?|trending|more|other) (?:viewed )?"
    r"(?:articles?|posts?|topics?|content|questions|resources|reading|links|products|pages|stories|guides)\W*$"
    r"|(?:see also|you (?:may|might) also (?:like|be interested in)|read (?:more|next)|share(?: this)?(?: \w+)?"
    r"|follow us|(?:leave|post|add) a (?:comment|reply)|\d* ?comments?"
    r"|(?:join|subscribe to|sign up (?:to|for)) (?:our|the) .{0,30}"
    r"|newsletter|(?:in|on) this (?:page|article)|(?:table of )?contents|tags|categories"
    r"|(?:back|return|go|up) to (?:the )?(?:top|.{0,20} list)|top"
    r"|verwandte (?:artikel|themen|beiträge)|articles (?:connexes|similaires|associés))\W*$",
    re.IGNORECASE,
)
_Q_MARK = re.compile(r"(?:Q|Question|F|Frage|P|Pregunta)\s?\d{0,3}\s?(?:[:.)]|[-–—]\s)\s*", re.IGNORECASE)
_A_MARK = re.compile(r"(?:A|Answer|Antwort|R|Réponse|Respuesta)\s?\d{0,3}\s?(?:[:.)]|[-–—]\s)\s*", re.IGNORECASE)
_NUMBER = re.compile(
    r"(?:(?:Q|Question)\s?\d{0,3}\s?(?:[:.)]|[-–—]\s)|\d{1,3}(?:[.)]|\s?[-–—:])\s|\d{1,2}(?:\.\d{1,2}){1,3}[.)]\s)\s*(?=\S)"
)
_SIGNS = "+−–—-▼▽▲△▾▿▴▸▹►▶▷»›⌄⌃∨∧✕✖×¶§#🔗❓❔➕➖↑↓⬇⬆•·|:*"


def asked(text: str) -> str:
    """Return a question without its number and without the signs that pages put around it."""
    text = one_line(text)
    bare = text.rstrip(_SIGNS + " ")
    # `C#` and `A+` are words; a sign that stands alone is none.
    if len(bare) < len(text) and (text[len(bare)] == " " or text[-1] in "¶🔗▼▾❓"):
        text = bare
    head = text.lstrip("▼▽▾▿▸▹►▶▷»›❓❔➕•·|+ ")
    text = head or text
    return _NUMBER.sub("", text, count=1) if len(text) > 4 else text


def key(text: str) -> str:
    """Return what two spellings of one question have in common: their letters and digits."""
    return "".join(char for char in asked(text).casefold() if char.isalnum())


def invites(text: str) -> bool:
    """Return whether a text is the page's own question to its reader: was this helpful, have you more questions."""
    return len(text) <= 120 and bool(_INVITES.match(text) or _FOUND_HELPFUL.search(text))


def ends_faq(text: str) -> bool:
    """Return whether a heading opens what is no content: related articles, comments, a newsletter."""
    return len(text) <= 80 and bool(_ENDS.match(text))


def is_question_mark(text: str) -> int:
    """Return how many characters, blanks aside, mark `text` as a question at its start, as `Q:` does; 0 for none."""
    return _mark(_Q_MARK, text)


def is_answer_mark(text: str) -> int:
    """Return how many characters, blanks aside, mark `text` as an answer at its start, as `A:` does; 0 for none."""
    return _mark(_A_MARK, text)


def _mark(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return len("".join(match[0].split())) if match else 0
