"""What the process that builds and the child that reads say to each other, and the limits that the child lives under.

A job is a frame of two lengths (8 bytes each) and what they measure: the job as JSON and the file's bytes. The reply is
one length and what was parsed, as JSON. A child says that it is there with one byte.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from retriever.types import Entry, Refusal

PAGES = (".htm", ".html", ".xhtml")
SHEETS = (".ods", ".xls", ".xlsb", ".xlsm", ".xlsx")
SUFFIXES = (
    *(".csv", ".docx", ".htm", ".html", ".json", ".jsonl", ".jsonld", ".markdown", ".md", ".ndjson", ".ods", ".pdf"),
    *(".rst", ".tsv", ".txt", ".xhtml", ".xls", ".xlsb", ".xlsm", ".xlsx", ".yaml", ".yml", ".zip"),
)
LENGTHS, LENGTH, READY = struct.Struct(">QQ"), struct.Struct(">Q"), b"!"
MIB = 1 << 20
# What an honest file may take; a large one takes more, a small one that takes more is a bomb. Readers of text were
# measured at under 1 s and 12 bytes of memory a byte of file.
_SECONDS, _SECONDS_A_MIB = 10, 2
_MEMORY, _MEMORY_A_BYTE = 448 * MIB, 12
MAX_REPLY = 256 * MIB


def seconds_for(size: int) -> int:
    """Return the seconds of processor time that a file of `size` bytes may take."""
    return _SECONDS + size * _SECONDS_A_MIB // MIB


def memory_for(size: int) -> int:
    """Return the bytes of memory that reading a file of `size` bytes may add."""
    return _MEMORY + size * _MEMORY_A_BYTE


@dataclass(frozen=True, slots=True)
class Job:
    """How a file is to be read: its name in the ledger, its suffix, and the title to fall back on."""

    name: str
    suffix: str
    title: str
    lang: str
    max_answer_chars: int


@dataclass(slots=True)
class Parsed:
    """What a file holds: its entries in order, and what its owner must know."""

    entries: list[Entry] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
