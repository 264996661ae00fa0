"""What on a page is no content: navigation, header, footer, forms, cookie banners, votes; marked, counted and named."""

from __future__ import annotations

from collections.abc import Iterator

from bs4 import Tag

from retriever.readers.html.cues import ends_faq, invites
from retriever.readers.html.tree import HEADINGS, Page, Span, attribute, listed, words

_SILENT = listed("script style template noscript head svg canvas audio map object embed applet datalist progress meter")
_TAGS = {"nav": "navigation", "dialog": "dialogs", "footer": "footers", "menu": "menus"}
_ROLES = {
    "navigation": "navigation",
    "banner": "headers",
    "contentinfo": "footers",
    "search": "forms",
    "dialog": "dialogs",
    "alertdialog": "dialogs",
    "complementary": "side matter",
    "menu": "menus",
    "menubar": "menus",
    "toolbar": "menus",
    "tooltip": "dialogs",
}
# Words of class names; every word of one set must be there.
_NAMES: tuple[tuple[frozenset[str], str], ...] = tuple(
    (listed(names), kind)
    for kind, sets in {
        "cookie banners": "cookie banner,cookie notice,cookie bar,cookie popup,cookie modal,cookie consent"
        ",consent banner,cookie message,cookie law,onetrust,cookieconsent,cookiebanner,cookiebot,cc window,gdpr banner",
        "breadcrumbs": "breadcrumb,breadcrumbs,crumbs",
        "navigation": "navbar,sidenav,topnav,subnav,skip link,skiplink,skip content,pagination,pager,offcanvas"
        ",site header,page nav,main nav,site nav,main menu,nav menu,back top,backtotop,footer nav,site footer,toc"
        ",table contents",
        "side matter": "sidebar,sphinxsidebar,widget area,related articles,related posts,related links,related content"
        ",recent articles,recent posts,recommended articles,article relatives,recent viewed,advertisement,adsbygoogle"
        ",sponsored,promo banner",
        "votes and sharing": "helpful,article votes,article vote,feedback,rating,ratings,social,share buttons"
        ",share links,article share,sharing,addthis,addtoany,sharethis,sharedaddy,votes,reactions",
        "forms": "newsletter,subscribe form,search form,searchform,contact form,signup form,comment form"
        ",comment respond",
        "comments": "comments,disqus,comment list,commentlist",
        "bylines": "byline,article meta,entry meta,post meta,article author,post date,author box",
        "dialogs": "modal,popup,lightbox",
    }.items()
    for names in sets.split(",")
)
_ASIDE_KEPT = listed("note tip warning callout admonition info hint important caution alert box")
_UNSEEN = tuple(
    map(
        listed,
        [
            "sr only",
            "visually hidden",
            "visuallyhidden",
            "screen reader text",
            "assistive text",
            "headerlink",
            "header anchor",
            "heading anchor",
            "anchor link",
            "anchorjs link",
            "permalink",
            "editsection",
            "edit section",
            "material icons",
            "material symbols",
        ],
    )
)
_INLINE = listed("span i em b strong a small sup sub img label s u font")
_ASKING = frozenset({"details", "dl", "dt", *HEADINGS})
_SIGNS = listed("+ - − – × ✕ ▼ ▲ ▾ ▸ ► ▶ › » ¶ # ❯ ⌄ ˅")


def remove_chrome(page: Page) -> dict[str, list[int]]:
    """Mark what is no content; return the lines of what was marked, by kind. What cannot be seen has no kind."""
    removed: dict[str, list[int]] = {}
    whole = page.size(page.span(0))
    for number, tag in page.tags(1):
        if page.gone[number]:
            continue
        kind = _kind(page, number, tag, whole)
        if kind is not None:
            page.remove(number)
            if kind and page.size(page.span(number)):
                removed.setdefault(kind, []).append(page.line[number])
    for number in _invitations(page):
        page.remove(number)
        removed.setdefault("votes and sharing", []).append(page.line[number])
    return removed


def _kind(page: Page, number: int, tag: Tag, whole: int) -> str | None:
    """Return what an element is that is no content: a kind, nothing for what is not seen, None for content."""
    if tag.name in _SILENT or (tag.name in _INLINE and _unseen(page, number, tag)):
        return ""
    if tag.name in {"html", "body", "main"}:
        return None
    return _by_tag(page, number, tag, whole) or _by_name(page, number, tag, whole)


def _unseen(page: Page, number: int, tag: Tag) -> bool:
    names = words(tag)
    if any(unseen <= names for unseen in _UNSEEN):
        return True
    hidden = tag.has_attr("hidden") or "display:none" in attribute(tag, "style").replace(" ", "").lower()
    sign = attribute(tag, "aria-hidden") == "true" and page.size(page.span(number)) <= 3
    shown = page.text(page.span(number)) if tag.name == "a" and attribute(tag, "href").startswith("#") else ""
    alone = shown in _SIGNS or ends_faq(shown)
    return sign or alone or (hidden and page.size(page.span(number)) < 200)


def _by_tag(page: Page, number: int, tag: Tag, whole: int) -> str | None:
    kind = _ROLES.get(attribute(tag, "role").lower()) or _TAGS.get(tag.name)
    if tag.name == "form" and not page.holds(number, _ASKING) and 2 * page.size(page.span(number)) <= whole:
        return "forms"
    if tag.name == "header" and not any(page.tag(above).name in _INNER for above in page.above(number)):
        return None if page.holds(number, {"h1"}) and not page.holds(number, {"nav", "form", "ul"}) else "headers"
    if tag.name == "aside":
        kind = None if words(tag) & _ASIDE_KEPT or attribute(tag, "role") == "note" else "side matter"
    # A page that is one menu or one footer says less about itself than what it holds.
    return kind if kind and not _is_most(page, number, whole) else None


_INNER = frozenset({"main", "article", "section", "aside", "nav", "details", "li", "dialog"})


def _by_name(page: Page, number: int, tag: Tag, whole: int) -> str | None:
    names = words(tag)
    kind = next((kind for wanted, kind in _NAMES if wanted <= names), None) if names else None
    if kind is None or _is_most(page, number, whole) or "question" in names or "faq" in names:
        return None
    return None if page.holds(number, {"details", "dl"}) or tag.name in HEADINGS else kind


def _is_most(page: Page, number: int, whole: int) -> bool:
    return whole > 2_000 and 2 * page.size(page.span(number)) > whole


def _invitations(page: Page) -> Iterator[int]:
    """Yield the widgets that ask whether the page was of help: their question with its buttons."""
    for number in page.texts(page.span(0)):
        text = page.text(Span(number, number + 1))
        if page.gone[number] or not invites(text) or any(page.tag(up).name in HEADINGS for up in page.above(number)):
            continue
        widget = page.parent[number]
        while not _is_container(page, widget) and _only_buttons(page, page.parent[widget]):
            widget = page.parent[widget]
        if not _is_container(page, widget) and _only_buttons(page, widget):
            yield widget


def _is_container(page: Page, number: int) -> bool:
    return number == 0 or page.tag(number).name in {"html", "body", "main", "article", "details", "dd", "td", "summary"}


def _only_buttons(page: Page, number: int) -> bool:
    """Return whether a node holds nothing beside such a question than what one clicks on."""
    if page.size(page.span(number)) > 200:
        return False
    for text in page.texts(page.span(number)):
        shown = page.text(Span(text, text + 1))
        clicked = {"a", "button", "label"} & {page.tag(up).name for up in page.above(text)}
        if len(shown) > 3 and not clicked and not invites(shown):
            return False
    return True
