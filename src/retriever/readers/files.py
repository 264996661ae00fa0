"""Paths → the files to read, each with an unambiguous name; nothing outside the corpus, no device, no loop."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from retriever.errors import CorpusError
from retriever.readers.drafts import Flaw

# A file is held in memory whole: 64 MiB of text are at most 256 MiB decoded, within the 512 MB a file may take.
MAX_FILE_BYTES = 64 * 1024 * 1024
RESERVED = "golden.jsonl"


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the corpus: its name in the ledger, and why it is not to be read, if it is not."""

    name: str
    path: Path
    named: bool = False
    refused: str | None = None
    passed_over: str | None = None
    size: int = 0


def find_files(paths: Sequence[Path]) -> list[Found]:
    """Return the files under `paths`, sorted within each, every file once."""
    roots = [_look(path) for path in paths]
    clashing = _clashing(roots)
    labels = _labels([path.resolve() if path.is_dir() else path.parent.resolve() for path in paths])
    found: dict[Path, Found] = {}
    for number, files in enumerate(roots):
        for file in files:
            name = f"{labels[number]}/{file.name}" if number in clashing else file.name
            found.setdefault(file.path, replace(file, name=name))
    return list(found.values())


def read_bytes(path: Path) -> bytes:
    """Return a regular file's bytes; a size that memory could not hold is refused before it is read."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > MAX_FILE_BYTES else file.read(MAX_FILE_BYTES + 1)
    if max(size, len(data)) > MAX_FILE_BYTES:
        raise Flaw(
            f"has {size / 1e6:,.0f} MB, and {MAX_FILE_BYTES / 1e6:.0f} MB are read at most: split it into several files"
        )
    return data


def _look(path: Path) -> list[Found]:
    try:
        status = path.stat()
        mode = status.st_mode
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"corpus path not found: {_printable(str(path))}", mend="name a file or a folder that exists with --corpus"
        ) from error
    if not stat.S_ISDIR(mode):
        # The folder resolved, the name kept: a file reached by two PATHs is one file, and a link keeps its suffix.
        place = path.parent.resolve() / path.name
        return [Found(_printable(path.name), place, named=True, refused=_not_regular(mode), size=status.st_size)]
    root = path.resolve()
    return sorted(_walk(root, root), key=lambda file: file.name)


def _walk(folder: Path, root: Path) -> Iterator[Found]:
    try:
        children = sorted(os.scandir(folder), key=lambda child: child.name)
    except OSError as error:
        yield Found(_name(folder, root), folder, refused=f"this folder cannot be opened: {error.strerror}")
        return
    names = {child.name for child in children}
    if "snapshots" in names and names & {"CURRENT", ".lock"}:
        yield Found(_name(folder, root), folder, passed_over="is an index that retriever built, and no FAQ")
        return
    for child in children:
        path = Path(child.path)
        if child.name.startswith(".") or child.name == "__pycache__":
            continue
        if child.is_symlink():
            yield _link(path, root)
        elif child.is_dir(follow_symlinks=False):
            yield from _walk(path, root)
        else:
            yield _file(path, root)


def _file(path: Path, root: Path) -> Found:
    why = _no_entries(path.name)
    if why:
        return Found(_name(path, root), path, passed_over=why)
    try:
        status = path.stat()
        return Found(_name(path, root), path, refused=_not_regular(status.st_mode), size=status.st_size)
    except OSError as error:
        return Found(_name(path, root), path, refused=f"cannot be opened: {error.strerror}")


def _no_entries(name: str) -> str | None:
    """Return why a file of this name holds no entries, whatever is in it; None where it may."""
    if name == RESERVED:
        return "holds labelled questions, which a build replays, and no entries"
    # Left beside a document for as long as somebody has it open.
    return "is what Office keeps of a file that is open" if name.startswith("~$") else None


def _link(path: Path, root: Path) -> Found:
    """Follow a link to a file only where the walk does not come by that file anyway; never one to a folder."""
    name = _name(path, root)
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        return Found(name, path, refused="is a link that leads nowhere or to itself: remove it")
    if not target.is_relative_to(root):
        return Found(
            name, path, refused="is a link to outside the corpus: copy what it points to, or name that as a PATH"
        )
    inside = target.relative_to(root)
    if target.is_dir() or not any(part.startswith(".") for part in inside.parts):
        return Found(
            name, path, passed_over=f"is a link to {_printable(inside.as_posix())}, which is read in its own place"
        )
    return _file(path, root)


def _not_regular(mode: int) -> str | None:
    return None if stat.S_ISREG(mode) else "is not a regular file (a pipe, a socket or a device): never opened"


def _name(path: Path, root: Path) -> str:
    return _printable(path.relative_to(root).as_posix())


def _printable(name: str) -> str:
    """Return a name that can be logged and stored: bytes that are no UTF-8 and control characters are written out."""
    name = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in name)


def _clashing(roots: list[list[Found]]) -> set[int]:
    """Return the roots that share a file name with another root for another file."""
    owners: dict[str, dict[Path, int]] = {}
    for number, files in enumerate(roots):
        for file in files:
            owners.setdefault(file.name, {}).setdefault(file.path, number)
    return {number for owner in owners.values() if len(owner) > 1 for number in owner.values()}


def _labels(roots: list[Path]) -> list[str]:
    """Return each root's last folders, as many as tell the roots apart."""
    distinct = len(set(roots))
    labels: list[str] = []
    for depth in range(1, 2 + max((len(root.parts) for root in roots), default=0)):
        labels = ["/".join(part.strip("/") for part in root.parts[-depth:]) for root in roots]
        if len(set(labels)) == distinct:
            break
    return [_printable(label) for label in labels]
