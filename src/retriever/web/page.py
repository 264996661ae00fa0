"""An `Answer` as HTML: the whole page, and the part of it that changes as a question is typed.

Both come from the same templates, so the page with JavaScript shows what the page without it shows. Everything is
escaped but `hit.answer.html`, which was sanitised when the index was built.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from retriever.defaults import DEFAULT_MESSAGE, MAX_K, MAX_QUESTION
from retriever.errors import InputError
from retriever.highlight import fragment_link
from retriever.types import Answer, Facets, Related, Source
from retriever.web.assets import HERE, static_url
from retriever.web.language import ENGLISH, Language
from retriever.web.panels import Choice, address, chips, of_most, parts, points
from retriever.web.site import PLAIN, Site

_MOST_MISSING = 6  # more are counted, not named


_NOTHING_CHOSEN, _NO_FACETS = Choice(), Facets()


def render_page(
    *,
    title: str,
    query: str = "",
    answer: Answer | None = None,
    error: str | None = None,
    k: int | None = None,
    examples: Sequence[str] = (),
    entries: int | None = None,
    snapshot: str | None = None,
    choice: Choice = _NOTHING_CHOSEN,
    facets: Facets = _NO_FACETS,
    related: Sequence[Related] = (),
    feedback: bool = False,
    language: Language = ENGLISH,
    site: Site = PLAIN,
) -> str:
    """Return the whole document for `/` and `/?q=...`.

    Args:
        title: what the owner calls the page.
        query: the question asked; blank for the start page.
        answer: what was found for it.
        error: a sentence, shown in place of an answer.
        k: how many hits the address asked for; None where it did not say, and then later addresses do not either.
        examples: questions that the start page offers.
        entries: how many entries can be found, for the footer.
        snapshot: the id of the snapshot being served, for the footer.
        choice: what the address chose: the filters, and whether to put misspelt words right.
        facets: what can be chosen from.
        related: entries whose questions are near to that of the first hit, none of them a hit.
        feedback: whether askers can say what helped.
        language: the page's own words.
        site: what the owner made of the page.
    """
    return (
        _environment(language)
        .get_template("page.html")
        .render(
            site=site,
            title=title,
            query=query.strip(),
            k=k,
            entries=entries,
            snapshot=snapshot,
            feedback=feedback,
            choice=choice,
            facets=facets,
            results=render_results(
                answer,
                query,
                error,
                examples=examples,
                choice=choice,
                facets=facets,
                related=related,
                feedback=feedback,
                language=language,
            ),
            templates={
                "start": render_results(None, "", None, examples=examples, language=language),
                "unreachable": render_results(None, "", language.t("error.unreachable"), language=language),
                "failed": render_results(None, "", language.t("error.failed"), language=language),
            },
        )
    )


def render_results(
    answer: Answer | None,
    query: str,
    error: str | None,
    *,
    examples: Sequence[str] = (),
    choice: Choice = _NOTHING_CHOSEN,
    facets: Facets = _NO_FACETS,
    related: Sequence[Related] = (),
    feedback: bool = False,
    language: Language = ENGLISH,
) -> str:
    """Return what stands below the search box, one element, which the script asks for as a question is typed."""
    return (
        _environment(language)
        .get_template("results.html")
        .render(
            state=_state(answer, error),
            answer=answer,
            query=query.strip(),
            error=error,
            examples=examples,
            choice=choice,
            facets=facets,
            related=related,
            feedback=feedback,
        )
    )


def say_error(error: InputError, query: str, language: Language = ENGLISH) -> str:
    """Return the sentence that tells an asker what is wrong with what was asked."""
    if error.field == "k":
        return language.t("error.count", most=MAX_K)
    if error.field == "question" and len(query) > MAX_QUESTION:
        return language.t("error.long", n=len(query), most=MAX_QUESTION)
    if error.field == "question":
        return language.t("error.text")
    return language.t("error.field", field=error.field, problem=error.problem)


def _state(answer: Answer | None, error: str | None) -> str:
    if error is not None:
        return "error"
    if answer is None:
        return "start"
    if not answer.hits:
        return "nothing"
    return "answered" if answer.answered else "nearest"


def _web(link: str | None) -> str | None:
    """Return `link` if it is on the web, so never `javascript:`, whoever made the hit."""
    return link if link and link.startswith(("http://", "https://")) else None


def _address(source: Source) -> str | None:
    """Return where on the web a source can be read."""
    url = _web(source.url)
    try:
        return fragment_link(url, source.anchor, "", "") if url else None
    except ValueError:
        return None


def _place(source: Source) -> str:
    """Return `file:line`, as editors take it."""
    return source.file if source.line is None else f"{source.file}:{source.line}"


def _percent(confidence: float) -> int:
    """Return whole percents, never 0 or 100: nothing is that certain."""
    return min(max(round(100 * confidence), 1), 99)


def _own(message: str | None) -> str | None:
    """Return the owner's message; None where it is the default, which the page has in its own language."""
    return None if message == DEFAULT_MESSAGE else message


@lru_cache
def _environment(language: Language) -> Environment:
    """Return the templates in a language: what they import has no context, so its words are global."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )

    def either(words: Sequence[str]) -> Markup:
        return language.either([Markup('<em dir="auto">%s</em>') % word for word in words], _MOST_MISSING)

    environment.globals.update(
        static_url=static_url,
        language=language,
        t=language.t,
        decimal=language.decimal,
        number=language.number,
        either=either,
        address=address,
        chips=chips,
        parts=parts,
    )
    environment.filters.update(
        web=_web, address=_address, place=_place, percent=_percent, own=_own, of_most=of_most, points=points
    )
    return environment


def template(name: str, language: Language) -> Template:
    """Return a template with the words of a language."""
    return _environment(language).get_template(name)
