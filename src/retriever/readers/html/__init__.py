"""Web pages → drafts, by Beautiful Soup over lxml: the forms that FAQ pages take, one module a kind of form."""

from retriever.readers.html.charset import decode_page
from retriever.readers.html.read import read_html

__all__ = ["decode_page", "read_html"]
