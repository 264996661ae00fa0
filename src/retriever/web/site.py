"""What an owner makes of the page: its name, language and wording, its logo and colour, and where it stands."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from retriever.defaults import DEFAULT_TITLE
from retriever.errors import SettingsError
from retriever.web.assets import STATIC, Asset, static_url
from retriever.web.language import LANGUAGES, PLACE, Language, flatten, load_language
from retriever.web.logo import CSP as LOGO_CSP
from retriever.web.logo import Logo, read_logo
from retriever.web.theme import shades, theme_css

AUTO = "auto"
_FALLBACK = "en"


def _all_languages() -> dict[str, Language]:
    return {code: load_language(code) for code in LANGUAGES}


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """The page as its owner wants it; without arguments, as it comes.

    `public_url` is the origin at which browsers find it, None where only the request knows. `indexed` is whether search
    engines may list its entries. `files` are those served for it alone, by name.
    """

    title: str = DEFAULT_TITLE
    language: str = _FALLBACK
    languages: Mapping[str, Language] = field(default_factory=_all_languages)
    logo: Logo | None = None
    accent: str | None = None
    public_url: str | None = None
    indexed: bool = True
    files: Mapping[str, Asset] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "files", {file.name: file for file in _files(self.accent, self.logo)})

    def spoken(self, accepted: str = "") -> Language:
        """Return the page's language; where that is `auto`, the first that a browser's Accept-Language has."""
        code = _first_known(accepted) if self.language == AUTO else self.language
        return self.languages[code]

    def named(self, language: Language) -> str:
        """Return the title: the owner's, or else the default in a language."""
        return str(language.t("page.title")) if self.title == DEFAULT_TITLE else self.title

    def url_of(self, name: str) -> str:
        """Return the address of a static file: the owner's, or else the page's own."""
        return self.files[name].url if name in self.files else static_url(name)

    @property
    def logo_url(self) -> str | None:
        """Return the address of the owner's logo."""
        return self.url_of(_logo_name(self.logo)) if self.logo else None


def _files(accent: str | None, logo: Logo | None) -> Iterator[Asset]:
    if accent:
        yield Asset("theme.css", "text/css; charset=utf-8", theme_css(accent).encode())
        yield Asset("icon.svg", "image/svg+xml", _tinted_icon(accent), LOGO_CSP)
    if logo:
        yield Asset(_logo_name(logo), logo.media_type, logo.data, LOGO_CSP)


def _logo_name(logo: Logo) -> str:
    return f"logo.{logo.kind}"


def load_site(
    *,
    title: str,
    language: str,
    texts: Path | None,
    logo: Path | None,
    accent: str | None,
    public_url: str | None,
    indexed: bool,
) -> Site:
    """Return the site that the settings of these names describe. Raises SettingsError naming file and key."""
    return Site(
        title=title,
        language=language,
        languages=_reworded(_all_languages(), texts) if texts else _all_languages(),
        logo=read_logo(logo) if logo else None,
        accent=accent,
        public_url=public_url,
        indexed=indexed,
    )


def _first_known(accepted: str) -> str:
    """Return the language that an Accept-Language header likes best and that there is."""
    weighed = []
    for at, part in enumerate(accepted[:1000].lower().split(",")):
        found = re.fullmatch(r"\s*([a-z]{1,8})(?:-[a-z0-9]+)*\s*(?:;\s*q=([01](?:\.[0-9]{0,3})?))?\s*", part)
        if found and found[1] in LANGUAGES and float(found[2] or 1) > 0:
            weighed.append((-float(found[2] or 1), at, found[1]))
    return min(weighed)[2] if weighed else _FALLBACK


def _reworded(languages: dict[str, Language], file: Path) -> dict[str, Language]:
    """Return the languages with an owner's own texts: of the tables `en` or `de` for that one, all else for each."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"texts {file} cannot be read: {error}") from error
    every = {key: value for key, value in table.items() if key not in languages}
    reworded = {}
    for code, language in languages.items():
        own = table.get(code, {})
        if not isinstance(own, dict):
            raise SettingsError(f"{file}: {code} is a language, and must be a table of texts")
        texts = dict(language.texts)
        for above, part in (("", every), (f"{code}.", own)):
            for key, text in flatten(part).items():
                texts[key] = _checked(key, text, language, f"{file}: {above}{key}")
        reworded[code] = replace(language, texts=texts)
    return reworded


def _checked(key: str, text: Any, language: Language, origin: str) -> str:
    """Return a text of the owner's if it can stand where the page's own does."""
    if key not in language.texts:
        near = difflib.get_close_matches(key, language.texts, n=1)
        raise SettingsError(f"{origin} is no text of the page", mend=f"Did you mean {near[0]!r}?" if near else None)
    if not isinstance(text, str):
        raise SettingsError(f"{origin} is {text!r}; it must be a text")
    known = set(PLACE.findall(language.texts[key]))
    unknown = sorted(set(PLACE.findall(text)) - known)
    if unknown:
        has = f"It has {', '.join(f'{{{name}}}' for name in sorted(known))}." if known else "It has nothing in braces."
        raise SettingsError(f"{origin} has {{{unknown[0]}}}, which the page's own text has not", mend=has)
    return text


def _tinted_icon(accent: str) -> bytes:
    """Return the icon on the accent's ground."""
    own = (STATIC / "icon.svg").read_text(encoding="utf-8")
    return re.sub(r'fill="#[0-9a-f]{6}"', f'fill="{shades(accent)[0][0]}"', own, count=1).encode()


PLAIN = Site()
"""The page as it comes."""
