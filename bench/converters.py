"""Pages → Markdown by trafilatura and markitdown, as JSON. Run by bench/pages.py, in an environment that has both."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import trafilatura
from markitdown import MarkItDown


def by_trafilatura(path: Path) -> str:
    text = trafilatura.extract(
        path.read_bytes(),
        output_format="markdown",
        include_formatting=True,
        include_links=True,
        include_tables=True,
        favor_recall=True,
    )
    return text or ""


def by_markitdown(path: Path) -> str:
    return MarkItDown().convert(path).markdown


def main() -> None:
    found: dict[str, dict[str, str]] = {}
    for name, convert in (("trafilatura", by_trafilatura), ("markitdown", by_markitdown)):
        found[f"{name} {version(name)}"] = {Path(page).stem: convert(Path(page)) for page in sys.argv[1:]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
