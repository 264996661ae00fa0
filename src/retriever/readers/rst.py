"""reStructuredText → HTML → drafts: section titles, definition lists and rubrics ask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace

from docutils import nodes
from docutils.core import publish_doctree, publish_from_doctree
from docutils.utils import SystemMessage

from retriever.readers.drafts import Draft, Flaw, Item, Note
from retriever.readers.html import read_html

# docutils reads about 300 KB a second.
MAX_CHARS = 1_000_000
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,  # a docutils.conf in the working folder counts for nothing
    "report_level": 3,
    "halt_level": 5,
    "warning_stream": io.StringIO(),
    "syntax_highlight": "none",
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "initial_header_level": 1,
    "output_encoding": "unicode",
}


def read_rst(text: str, title: str) -> Iterator[Item]:
    """Read a page of sections. What only Sphinx knows is left out, with a note that names its line."""
    if len(text) > MAX_CHARS:
        raise Flaw(f"reStructuredText of {len(text):,} characters, at most {MAX_CHARS:,} are read: split it")
    try:
        tree = publish_doctree(text, settings_overrides=dict(_SETTINGS))
        yield from _unknown(tree)
        _rubrics(tree)
        # docutils counts the line below a title.
        lines = {name: node.line - 1 for node in tree.findall(nodes.section) for name in node["ids"] if node.line}
        html = publish_from_doctree(tree, writer="html5", settings_overrides=dict(_SETTINGS))
    except SystemMessage as error:
        raise Flaw(f"not reStructuredText: {' '.join(str(error).split())[:200]}") from error
    except RecursionError as error:
        raise Flaw("nested too deep to be read") from error
    for item in read_html(html, title):
        yield replace(item, line=lines.get(item.anchor or "")) if isinstance(item, Draft) else item


def _unknown(tree: nodes.document) -> Iterator[Note]:
    """Take docutils' own messages out of the page, and hand on those that say what is not read."""
    for message in list(tree.findall(nodes.system_message)):
        if "line-length-limit" in message[0].astext():
            raise Flaw("has a line of over 10,000 characters: break it")
        if message["level"] > 1:
            yield Note(f"line {message.get('line', '?')}: {message[0].astext()[:150]}")
        message.parent.remove(message)


def _rubrics(tree: nodes.document) -> None:
    """Make a rubric a bold line, which asks where it reads like a question."""
    for rubric in list(tree.findall(nodes.rubric)):
        rubric.replace_self(nodes.paragraph("", "", nodes.strong("", "", *rubric.children)))
