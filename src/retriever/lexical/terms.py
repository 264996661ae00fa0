"""Text to terms: stemmed words, chunks as they stand, and the 64 bits that stand for each."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import Stemmer
from numpy.typing import NDArray

Keys = NDArray[np.uint64]
CHUNK = re.compile(r"\w+(?:[_.\-/:@+#]+\w+)*")
PART = re.compile(r"[^\W_]+")
# What a text with compound chunks has. It begins with what is rare, which is found many times sooner.
_JOINED = re.compile(r"[_.\-/:@+#](?:(?<=_)|\w)")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
QUOTED = re.compile(r"\"([^\"]+)\"|`([^`]+)`|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)")
# What an ASCII text with a code has; most questions have none, and are done with sooner so.
_CODED = re.compile(r"[0-9_]|[/:@+#.]\w|[a-z][A-Z]")
_QUOTE = re.compile("[\"`“']")
_CAMEL = re.compile(r"[a-z][A-Z]")
_JOINERS = frozenset("_/:@+#")

# Snowball's stemmers by language; other languages keep their words whole.
_STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip


def is_code(chunk: str) -> bool:
    """Tell whether a chunk of text is an identifier, a code or a path, and not a plain word or number."""
    if chunk.isalpha():  # as most are
        return not chunk.islower() and bool(_CAMEL.search(chunk))
    digits, letters = any(map(str.isdigit, chunk)), any(map(str.isalpha, chunk))
    mixed = digits and letters and len(chunk) >= 3
    return mixed or bool(_JOINERS & set(chunk)) or ("." in chunk and letters) or bool(_CAMEL.search(chunk))


def _stemmer(name: str) -> tuple[Callable[[str], str], Callable[[list[str]], list[str]]]:
    stemmer = Stemmer.Stemmer(name)
    return stemmer.stemWord, stemmer.stemWords


class Analyzer:
    """Text to terms in one language: stemmed words, and chunks such as `unused-import` once more as they stand."""

    def __init__(self, lang: str) -> None:
        name = _STEMMERS.get(lang.lower().partition("-")[0])
        self.stem, self.stems = _stemmer(name) if name else (str, list)

    def words(self, text: str) -> list[str]:
        """Return the stems of the words of `text`, in order."""
        return self.stems(PART.findall(text.lower()))

    def terms(self, text: str) -> list[str]:
        """Return its words, and its compound chunks whole."""
        return self.words(text) + compounds(text.lower())

    def term(self, word: str) -> str:
        """Return the term of one word, or of one compound chunk whole."""
        return self.stem(word.lower()) if word.isalnum() else "=" + word.lower()

    def codes(self, text: str) -> list[str]:
        """Return the terms of its identifiers and codes, each once."""
        if text.isascii() and not _CODED.search(text):
            return []
        codes = (chunk for chunk in CHUNK.findall(text) if len(chunk) > 1 and is_code(chunk))
        return list(dict.fromkeys(map(self.term, codes)))


def quotations(text: str) -> list[str]:
    """Return what stands in quotes."""
    return ["".join(groups) for groups in QUOTED.findall(text)] if _QUOTE.search(text) else []


def compounds(lower: str) -> list[str]:
    """Return the terms of the compound chunks of a text in lower case."""
    chunks = CHUNK.findall(lower) if _JOINED.search(lower) else ()
    return ["=" + chunk for chunk in chunks if not chunk.isalnum()]


def key_of(term: str) -> int:
    """Return 64 bits that stand for a term. Of five million terms two share theirs once in a million indexes."""
    return int.from_bytes(hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


asked_key = lru_cache(4096)(key_of)
"""The same for terms of questions, of which the last are kept."""


def keys_in(terms: Iterable[str], count: int) -> Keys:
    """Return the keys of `terms`, of which there are `count`, in order."""
    return np.fromiter(map(key_of, terms), np.uint64, count)


def keys_of(terms: Iterable[str]) -> Keys:
    """Return the keys of `terms`, each term once, in order."""
    once = dict.fromkeys(terms)
    return keys_in(once, len(once))


def pair_keys(first: Keys, second: Keys) -> Keys:
    """Return the keys of pairs of neighbouring terms, of their terms' own keys."""
    return first * np.uint64(_OF_FIRST) + second  # modulo 2**64


def asked_pairs(keys: Sequence[int]) -> list[int]:
    """Return the keys of the pairs of a question's neighbouring terms, each once, in order: numpy is slow for few."""
    return list(dict.fromkeys((first * _OF_FIRST + second) & _KEY for first, second in pairwise(keys)))


# Odd, so that no two first terms are one, and so that a pair the other way round is another.
_OF_FIRST = 0x9E3779B97F4A7C17
_KEY = 2**64 - 1


def find(keys: Keys, key: int) -> int | None:
    """Return where `key` stands among sorted `keys`, None if nowhere."""
    wanted = np.uint64(key)
    at = int(np.searchsorted(keys, wanted))
    return at if at < len(keys) and keys[at] == wanted else None
