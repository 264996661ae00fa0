"""What other programs read of a site: browsers that add a search, language models, crawlers. Addresses are absolute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from retriever.web.contents import BROWSE, Contents, Section
from retriever.web.language import Language
from retriever.web.site import Site

SUGGESTIONS = "application/x-suggestions+json"
DESCRIPTION = "application/opensearchdescription+xml"
# What OpenSearch 1.1 allows.
_SHORT_NAME, _LONG_NAME = 16, 48
# llms.txt is to fit into a model's context: where there are more questions, it leads to the pages that hold them.
_MOST_LISTED = 500
# What a sitemap may hold: sitemaps.org.
_MOST_PLACES = 50_000
_MARKS = re.compile(r"([\\\[\]`*_<>])")


def opensearch_xml(site: Site, language: Language, base: str) -> str:
    """Return the description by which a browser adds this search to its own."""
    title = site.named(language)
    icon = base + (site.logo_url if site.logo and site.logo.square and site.logo_url else site.url_of("icon.svg"))
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<OpenSearchDescription xmlns="http://a9.com/-/spec/opensearch/1.1/">
<ShortName>{escape(_shorten(title, _SHORT_NAME))}</ShortName>
<LongName>{escape(_shorten(title, _LONG_NAME))}</LongName>
<Description>{escape(title)}</Description>
<Language>{escape(language.code)}</Language>
<InputEncoding>UTF-8</InputEncoding>
<Image width="32" height="32">{escape(icon)}</Image>
<Url type="text/html" template={quoteattr(base + "/?q={searchTerms}")}/>
<Url type="{SUGGESTIONS}" template={quoteattr(base + "/opensearch/suggest?q={searchTerms}")}/>
<Url type="{DESCRIPTION}" rel="self" template={quoteattr(base + "/opensearch.xml")}/>
</OpenSearchDescription>
"""


def llms_txt(site: Site, language: Language, contents: Contents, base: str) -> str:
    """Return the site for language models, as llmstxt.org has it: a title, a summary, and links by section."""
    t = language.t  # its markup is for pages; here a text is a text
    total = len(contents.places)
    lines = [f"# {_line(site.named(language))}", "", f"> {t('machines.summary', n=total).unescape()}", ""]
    lines += [t("machines.ask", address=f"{base}/ask?q=...").unescape(), ""]
    if total <= _MOST_LISTED:
        for section in contents.sections:
            lines += [f"## {_line(section.name)}", "", *_links(section, base), ""]
    else:
        lines += [f"## {t('browse.all').unescape()}", ""]
        for section in contents.sections:
            count = t("browse.count", n=len(section.listed)).unescape()
            lines.append(f"- [{_line(section.name)}]({base}{section.url}): {count}")
        lines.append("")
    lines += [f"## {t('machines.optional').unescape()}", "", f"- [{t('machines.entries').unescape()}]({base}/entries)"]
    return "\n".join(lines) + "\n"


def robots_txt(site: Site, base: str) -> str:
    """Return what crawlers need not look at, and where all there is is listed."""
    # Pages that are not to be listed say so themselves: a crawler that may not look would never know.
    paths = ("/results", "/suggest", "/opensearch/", "/ask", "/feedback")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in paths)]
    if site.indexed:
        lines.append(f"\nSitemap: {base}/sitemap.xml")
    return "\n".join(lines) + "\n"


def sitemap_xml(contents: Contents, base: str, part: int | None = None) -> str | None:
    """Return all addresses; where there are too many for one file, a list of the files; None if there is no `part`."""
    entries = (section.listed[at].url for section, at in _places(contents))
    urls = ["/", BROWSE, *(section.url for section in contents.sections), *entries]
    if part is None and len(urls) > _MOST_PLACES:
        parts = range(1, -(-len(urls) // _MOST_PLACES) + 1)
        return _xml("sitemapindex", "sitemap", (f"{base}/sitemap.xml?part={number}" for number in parts))
    first = (1 if part is None else part) * _MOST_PLACES - _MOST_PLACES
    chosen = urls[first : first + _MOST_PLACES] if first >= 0 else []
    return _xml("urlset", "url", (base + url for url in chosen)) if chosen else None


def _places(contents: Contents) -> list[tuple[Section, int]]:
    """Return where each entry stands first."""
    return [(contents.sections[number], at) for number, at in contents.places.values()]


def _xml(outer: str, inner: str, addresses: Iterable[str]) -> str:
    rows = "".join(f"<{inner}><loc>{escape(address)}</loc></{inner}>\n" for address in addresses)
    space = "http://www.sitemaps.org/schemas/sitemap/0.9"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{outer} xmlns="{space}">\n{rows}</{outer}>\n'


def _links(section: Section, base: str) -> Sequence[str]:
    return [f"- [{_line(one.question)}]({base}{one.url})" for one in section.listed]


def _line(text: str) -> str:
    """Return a text as one line of Markdown that is nothing but text."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _shorten(text: str, most: int) -> str:
    """Return the first whole words of a text that are not too long together."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    whole = text[: most + 1].rpartition(" ")[0]
    return whole.rstrip("-–—&+/|:;,. ") or text[:most]  # what joined it to the next word
