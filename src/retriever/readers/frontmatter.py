"""Front matter: the YAML between two `---` lines at the head of a Markdown file."""

from __future__ import annotations

import re
from typing import Any

import yaml

from retriever.readers.drafts import Flaw

# PyYAML reads about 100 KB a second.
MAX_CHARS = 20_000
_FENCED = re.compile(r"((?:[ \t]*\n)*)---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# What was meant as front matter: a rule at the head, and a name and colon below it.
_OPENED = re.compile(r"((?:[ \t]*\n)*)---[ \t]*\n[A-Za-z_][\w-]*:(?:[ \t]|\n)")


class Loader(yaml.SafeLoader):
    """YAML 1.2's core schema: `no` is a text (and Norwegian), a date is written as it stands, nothing is an alias."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own class attribute

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):  # a few hundred bytes of aliases of aliases are a billion values
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read", problem_mark=mark)
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)\Z", "~nN"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})\Z", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)\Z", "-+.0123456789"),
):
    Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), [*_first, ""] if _tag == "null" else [*_first]
    )


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """Return the front matter's values, and the text with its lines blanked, so that lines keep their numbers."""
    fenced = _FENCED.match(text)
    if not fenced:
        if opened := _OPENED.match(text):
            line = opened[1].count("\n") + 1
            raise Flaw("the front matter that begins here is never closed: end it with a line of ---", line)
        return {}, text
    line = fenced[1].count("\n") + 1
    if len(fenced[2]) > MAX_CHARS:
        raise Flaw(f"the front matter has {len(fenced[2]):,} characters: {MAX_CHARS:,} are read at most", line)
    values = _load(fenced[2], line)
    if values is not None and not isinstance(values, dict):
        return {}, text  # two rules with prose between them
    return {str(key): value for key, value in (values or {}).items()}, "\n" * fenced[0].count("\n") + text[
        fenced.end() :
    ]


def _load(source: str, first: int) -> Any:
    try:
        return yaml.load(source, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + first + 1 if error.problem_mark else first
        raise Flaw(f"the front matter is not YAML: {error.problem}", line) from error
    except yaml.YAMLError as error:
        raise Flaw(f"the front matter is not YAML: {' '.join(str(error).split())[:200]}", first) from error
    except RecursionError as error:
        raise Flaw("the front matter is nested too deep", first) from error
