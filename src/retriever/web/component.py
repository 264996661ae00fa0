"""`<faq-search>` as it is served: one file with its texts inside, so that a page on another site needs nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from retriever.defaults import DEFAULT_MESSAGE, MAX_QUESTION
from retriever.web.language import Language

_SOURCE = (Path(__file__).parent / "faq-search.js").read_text(encoding="utf-8")
_SLOT = "const SERVER = {};"
# Keys of texts as the script names them: `"box.label"` whole, `level.${...}` by its beginning.
_KEY = re.compile(r"""["`]([a-z]+\.[a-z]*)""")
# What is for those who read the source: comments and indentation.
_MARGIN = re.compile(r"^ +(?!//)|^ *// .*\n|^\n| +// .*$", re.MULTILINE)


def render_component(languages: Mapping[str, Language], language: str) -> tuple[bytes, str]:
    """Return the script and its ETag; on pages in none of `languages` it speaks `language`."""
    codes = sorted(languages, key=lambda code: code != language)  # the first is what it falls back on
    texts = {code: _nested(languages[code].texts) for code in codes}
    server = {"texts": texts, "message": DEFAULT_MESSAGE, "most": MAX_QUESTION}
    said = json.dumps(server, ensure_ascii=False, separators=(",", ":"))
    head, _, code = _SOURCE.partition("\n")
    script = f"{head}\n{_MARGIN.sub('', code).replace(_SLOT, f'const SERVER = {said};', 1)}".encode()
    return script, f'"{sha256(script).hexdigest()[:16]}"'


def keys_named() -> frozenset[str]:
    """Return the keys of texts that the script names; one that ends in a dot is the beginning of keys."""
    return frozenset(_KEY.findall(_SOURCE))


def _nested(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the texts that the script names as tables in tables, by the parts of their keys."""
    nested: dict[str, Any] = {}
    for key, text in texts.items():
        if any(key == name or key.startswith(name if name.endswith(".") else f"{name}.") for name in keys_named()):
            *above, last = key.split(".")
            table = nested
            for part in above:
                table = table.setdefault(part, {})
            table[last] = text
    return nested
