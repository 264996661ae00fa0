"""What can be filtered on: each value of each thing, and the ordinals of the entries that carry it."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from retriever.ranking import pin_key
from retriever.snapshot.layout import Spans
from retriever.types import CATEGORY, Entry

_FACETS = ("tags", "source", "lang", "kind", "pins", "valid_from", "valid_until")
_MOST_FILTERABLE = 200  # characters


def write_facets(entries: Iterable[Entry], folder: Path) -> None:
    """Write, for each value of each thing that can be filtered on, the ordinals of the entries that carry it."""
    facets: dict[str, dict[str, array[int]]] = {name: defaultdict(_ordinals) for name in _FACETS}
    places: list[tuple[str, int, int]] = []
    for ordinal, entry in enumerate(entries):
        places.append((entry.source.file, entry.source.line or 0, ordinal))
        for tag in dict.fromkeys(entry.tags):
            facets["tags"][tag].append(ordinal)
        facets["source"][entry.source.file].append(ordinal)
        facets["lang"][entry.lang].append(ordinal)
        facets["kind"][entry.kind].append(ordinal)
        for question in dict.fromkeys(map(pin_key, entry.pin_for)):
            facets["pins"][question].append(ordinal)
        for name, day in (("valid_from", entry.valid_from), ("valid_until", entry.valid_until)):
            if day:
                facets[name][day.isoformat()].append(ordinal)
        for key, value in {**entry.metadata, CATEGORY: entry.category}.items():
            for shown in sorted(_filterable(value)):
                facets.setdefault(f"metadata.{key}", defaultdict(_ordinals))[shown].append(ordinal)
    facets["written"] = {"": array("i", (ordinal for *_, ordinal in sorted(places)))}
    spans: Spans = {}
    carried = _ordinals()
    for name, values in facets.items():
        spans[name] = {}
        for value, ordinals in values.items():
            spans[name][value] = (len(carried), len(carried) + len(ordinals))
            carried += ordinals
    (folder / "facets.json").write_bytes(msgspec.json.encode(spans))
    np.save(folder / "facets.npy", np.asarray(carried, np.int32))


def _ordinals() -> array[int]:
    return array("i")


def _filterable(value: object) -> set[str]:
    """Return the values of a metadata key that can be filtered on: short texts, numbers, true and false."""
    values = value if isinstance(value, list) else [value]
    return {
        shown
        for item in values
        if isinstance(item, str | int | float)
        if len(shown := item if isinstance(item, str) else msgspec.json.encode(item).decode()) <= _MOST_FILTERABLE
    }
