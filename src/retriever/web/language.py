"""The words of the page in a language: texts by key, plurals, numbers. They are in `texts/`, a file a language.

A new language is a file beside the others with the same keys, and, where its plurals are not like English, a line in
`_FORMS`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup, escape

TEXTS = Path(__file__).parent / "texts"
LANGUAGES = tuple(sorted(path.stem for path in TEXTS.glob("*.toml")))
"""The languages that there are, by code."""

PLACE = re.compile(r"\{(\w+)\}")
"""What is put into a text, by name."""

# The plural form of a number, where it is not `one` for 1 and `other` for the rest; CLDR lists them for every language.
_FORMS: dict[str, Callable[[int], str]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """A language and its texts by dotted key. `group` stands between thousands, `point` before decimals.

    `written` is how a date is, with the name of its month.
    """

    code: str
    name: str
    direction: Literal["ltr", "rtl"]
    group: str
    point: str
    written: str
    months: tuple[str, ...]
    texts: Mapping[str, str]

    def t(self, key: str, **values: object) -> Markup:
        """Return a text with `values` put in, all of it escaped but what is markup already.

        Whole numbers are grouped, dates written out. Where the text has plural forms, `n` chooses.
        """
        text = self.texts.get(key)
        if text is None:
            text = self.texts.get(f"{key}.{self._form(values['n'])}") or self.texts[f"{key}.other"]
        return Markup(PLACE.sub(lambda found: self._put(values[found[1]]), str(escape(text))))  # noqa: S704

    def number(self, number: int) -> str:
        """Return a whole number with its digits grouped."""
        return f"{number:,}".replace(",", self.group)

    def decimal(self, number: float, digits: int = 2) -> str:
        """Return a number with so many digits after the point."""
        return f"{number:.{digits}f}".replace(".", self.point)

    def day(self, day: date) -> str:
        """Return a date as it is written."""
        return self.written.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def either(self, words: Sequence[Markup | str], most: int) -> Markup:
        """Return `a, b or c`; words beyond `most` are counted, not named."""
        named, more = words[:most], len(words[most:])
        text = Markup("") if not named else Markup("%s") % named[0]
        for at, word in enumerate(named[1:], start=2):
            last = at == len(named) and not more
            text = self.t("missing.or", words=text, word=word) if last else self.t("missing.and", words=text, word=word)
        return self.t("missing.more", words=text, n=more) if more else text

    def _put(self, value: object) -> str:
        if isinstance(value, int):
            value = self.number(value)
        elif isinstance(value, date):
            value = self.day(value)
        return str(escape(value))

    def _form(self, number: Any) -> str:
        form = _FORMS.get(self.code)
        return form(number) if form else "one" if number == 1 else "other"


@lru_cache
def load_language(code: str) -> Language:
    """Return the language that `texts/<code>.toml` holds."""
    table = tomllib.loads((TEXTS / f"{code}.toml").read_text(encoding="utf-8"))
    about = table.pop("language")
    return Language(
        code,
        about["name"],
        about["direction"],
        group=about["group"],
        point=about["point"],
        written=about["date"],
        months=tuple(about["months"].split()),
        texts=flatten(table),
    )


def flatten(table: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested tables as one, its keys joined by dots."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= flatten(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return flat


ENGLISH = load_language("en")
