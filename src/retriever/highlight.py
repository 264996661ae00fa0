"""Mark a part of a text inside sanitised HTML: pure functions, no model, no I/O."""

from __future__ import annotations

from html.parser import HTMLParser


def mark(html: str, text: str, start: int, end: int) -> str:
    """Return `html` with the characters that are `text[start:end]` inside <mark>.

    `html` is sanitised and holds the characters of `text`, white space aside, in order. Every run of marked text gets
    a <mark> of its own, so that the tags stay nested. Its other bytes stay as they are.
    """
    first = _visible(text[:start])
    marker = _Marker(first, first + _visible(text[start:end]))
    marker.feed(html)
    marker.close()
    return "".join(marker.out).replace("</mark><mark>", "")


def _visible(text: str) -> int:
    return sum(not char.isspace() for char in text)


class _Marker(HTMLParser):
    """Copies HTML, counting visible characters, and opens and closes <mark> inside runs of text."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self._first, self._last, self._seen = first, last, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.out.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Copy a run of text, the marked part of it, if any, in <mark>."""
        places = [at for at, char in enumerate(data) if not char.isspace()]
        marked = places[max(self._first - self._seen, 0) : max(self._last - self._seen, 0)]
        self._seen += len(places)
        if marked:
            begin, stop = marked[0], marked[-1] + 1
            self.out += [data[:begin], "<mark>", data[begin:stop], "</mark>", data[stop:]]
        else:
            self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self._handle_reference(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._handle_reference(f"&#{name};")

    def _handle_reference(self, reference: str) -> None:
        inside = self._first <= self._seen < self._last
        self._seen += reference != "&nbsp;"
        self.out.append(f"<mark>{reference}</mark>" if inside else reference)
