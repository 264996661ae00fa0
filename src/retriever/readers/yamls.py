"""YAML → drafts: a list of entries, a mapping that holds one, or questions with their answers."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from retriever.readers.drafts import Draft, Flaw, Item, Refused
from retriever.readers.frontmatter import Loader
from retriever.readers.products import LISTS, record_of
from retriever.readers.records import NAMES, draft_of, key_of

# PyYAML reads about 100 KB a second.
MAX_CHARS = 500_000


def read_yaml(text: str, _title: str) -> Iterator[Item]:
    """Read the one document of a file; a broken one is refused whole, since what stands above a break may be cut."""
    if len(text) > MAX_CHARS:
        raise Flaw(f"YAML of {len(text):,} characters, at most {MAX_CHARS:,} are read: split it")
    try:
        loader = Loader(text)
        yield from _drafts(loader.get_single_node(), loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise Flaw(f"not YAML: {error.problem}", line) from error
    except yaml.YAMLError as error:
        raise Flaw(f"not YAML: {' '.join(str(error).split())[:200]}") from error
    except RecursionError as error:
        raise Flaw("nested too deep to hold entries") from error


def _drafts(root: yaml.Node | None, loader: Loader) -> Iterator[Item]:
    if isinstance(root, yaml.SequenceNode):
        yield from (_item(node, loader) for node in root.value)
        return
    if not isinstance(root, yaml.MappingNode):
        raise Flaw("is not a list of entries, or questions with their answers: see docs/formats.md", 1)
    lists = [value for key, value in root.value if key.value in LISTS and isinstance(value, yaml.SequenceNode)]
    keys = {key_of(str(key.value)) for key, _ in root.value}
    if lists:
        yield from (_item(node, loader) for found in lists for node in found.value)
    elif all(keys.intersection(NAMES[name]) for name in ("question", "answer")):
        yield _item(root, loader)
    else:
        yield from (_pair(key, value, loader) for key, value in root.value)


def _item(node: yaml.Node, loader: Loader) -> Item:
    line = node.start_mark.line + 1
    value = loader.construct_object(node, deep=True)
    if not isinstance(value, dict):
        return Refused(line, "an entry should have a question and an answer")
    if len(value) == 1 and isinstance(node, yaml.MappingNode):
        key, beside = node.value[0]
        return _pair(key, beside, loader)
    return _draft(value, line)


def _pair(key: yaml.Node, value: yaml.Node, loader: Loader) -> Item:
    """Return the entry that a question and what stands beside it make: its answer, or its other fields."""
    line = key.start_mark.line + 1
    if not isinstance(key, yaml.ScalarNode):
        return Refused(line, "a question should be a text")
    if isinstance(value, yaml.ScalarNode):  # as it is written: `no` and `2026` are answers
        return _draft({"question": key.value, "answer": value.value}, line)
    beside = loader.construct_object(value, deep=True)
    return _draft({"question": key.value, **(beside if isinstance(beside, dict) else {"answer": beside})}, line)


def _draft(value: dict[object, object], line: int) -> Draft | Refused:
    try:
        return draft_of(record_of({str(name): item for name, item in value.items()}), line)
    except Flaw as flaw:
        return Refused(line, flaw.reason)
