"""The tokens of texts, by a model's own tokenizer, and what its window holds of them."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from retriever.errors import EncoderError
from retriever.types import EncoderSpec

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# A bound on what is tokenised to find where a window ends; a wordpiece longer than this is one unknown token anyway.
_CHARS_A_TOKEN = 100
# Words come again: this many are tokenised once, 10 MB at most. A longer one is rare, or was made to fill memory.
_WORDS_KEPT, _LONGEST_KEPT = 20_000, 40
_WORD_BEGINS = ("▁", "Ġ")
# Shorter words are never taken for misspelt.
_SHORTEST_WORD = 4


def load_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer in `path`, which neither cuts nor pads. Raises EncoderError if there is none."""
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:
        raise EncoderError(f"{path} is not a tokenizer: {error}", mend="Save the model with a fast one.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


class Window:
    """The tokens that the window of `spec` holds of a text. Loads the tokenizer when first asked. Safe for threads."""

    def __init__(self, path: Path, spec: EncoderSpec) -> None:
        self._path = path
        self._spec = spec

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer, which neither cuts nor pads."""
        return load_tokenizer(self._path)

    @cached_property
    def _budget(self) -> int:
        prompt = (
            self.tokenizer.encode(self._spec.passage_prompt, add_special_tokens=False)
            if self._spec.passage_prompt
            else ()
        )
        return self._spec.window - self.tokenizer.num_special_tokens_to_add(False) - len(prompt)

    def ids(self, text: str) -> list[int]:
        """Return the ids of the tokens of `text`, those that begin and end any text included, cut to the window."""
        begin, end = self._around
        ids = self._ids_of_words(text.strip())
        return [*begin, *ids[: self._spec.window - len(begin) - len(end)], *end]

    def _ids_of_words(self, text: str) -> list[int]:
        """Return the ids of the tokens of `text` alone: where words are tokenised each by itself, of one after another.

        That takes a hundredth of a millisecond for a question, where the tokenizer takes a tenth.
        """
        if not self._by_words:
            return self.tokenizer.encode(text, add_special_tokens=False).ids
        ids: list[int] = []
        for word in text.split(" "):
            ids += self._ids_of_word(word) if len(word) <= _LONGEST_KEPT else self._tokenised(word)
        return ids

    @cached_property
    def _around(self) -> tuple[list[int], list[int]]:
        """The ids of the special tokens that begin and end a text."""
        whole = self.tokenizer.encode("a")
        special = whole.special_tokens_mask
        begin, end = special.index(0), special[::-1].index(0)
        return whole.ids[:begin], whole.ids[len(whole.ids) - end :]

    def words(self) -> frozenset[str]:
        """Return the words, lower-case, that the tokenizer knows whole: whatever its kind marks as a word's beginning.

        WordPiece marks what is not one (`##ing`), SentencePiece and byte-level BPE what is (`▁word`, `Ġword`).
        """
        vocabulary = self.tokenizer.get_vocab()
        marked = [token[1:] for token in vocabulary if token[:1] in _WORD_BEGINS]
        words = marked or [token for token in vocabulary if not token.startswith("##")]
        return frozenset(word.lower() for word in words if word.isalpha() and len(word) >= _SHORTEST_WORD)

    def fit(self, text: str) -> int:
        """Return how many leading characters of `text` the window holds: len(text) if all of it."""
        if text.isascii() and self._at_most(text) <= self._budget:
            return len(text)
        head = text[: self._budget * _CHARS_A_TOKEN]
        offsets = self.tokenizer.encode(head, add_special_tokens=False).offsets
        return len(head) if len(offsets) <= self._budget else int(offsets[self._budget][0])

    def _at_most(self, text: str) -> int:
        """Return a number that the tokens of an ASCII text do not exceed, without a run of the tokenizer.

        No token is less than a character, and one more may begin the text.
        """
        return len(self._ids_of_words(text)) if self._by_words and len(text) >= self._budget else len(text) + 1

    @cached_property
    def _by_words(self) -> bool:
        """Whether words are tokenised each by itself: no token has a blank within, and nothing looks across one."""
        parts = self.tokenizer.normalizer, self.tokenizer.pre_tokenizer, self.tokenizer.model
        added = (token.content for token in self.tokenizer.get_added_tokens_decoder().values())
        kinds = tuple(type(part).__name__ for part in parts)
        return kinds == ("BertNormalizer", "BertPreTokenizer", "WordPiece") and not any(" " in text for text in added)

    @cached_property
    def _ids_of_word(self) -> Callable[[str], array[int]]:
        return lru_cache(_WORDS_KEPT)(self._tokenised)

    def _tokenised(self, word: str) -> array[int]:
        return array("i", self.tokenizer.encode(word, add_special_tokens=False).ids)
