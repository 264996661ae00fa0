"""Check the installation and the index, and say what mends each failure. Nothing is changed, and no model is loaded.

Whatever is wrong, the other checks are made: each stands alone, and one that cannot be made is a failure itself.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from retriever.errors import EncoderError, NoSnapshot, RetrieverError, SettingsError, SnapshotError
from retriever.settings import Settings

LEAST_FREE = 1_000_000_000
"""Bytes that a build of some thousand entries and an exported encoder need, with room for what is kept."""
_STALE_SECONDS = 3600

_REQUIREMENT = re.compile(r"([\w.-]+)\s*([^;]*)(?:;\s*extra\s*==\s*['\"](\w+)['\"])?")
_CLAUSE = re.compile(r"(>=|<=|==|<|>)\s*([\d.]+)")


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at and found. `mend` is the command or change that mends it, None where it is well."""

    name: str
    found: str
    mend: str | None = None

    @property
    def well(self) -> bool:
        """Whether nothing is to be mended."""
        return self.mend is None


def examine(
    settings: Settings, problems: list[SettingsError], environ: Mapping[str, str] = os.environ
) -> tuple[Check, ...]:
    """Return every check of what `settings` describe; `problems` are of settings that could not be taken."""
    checks: dict[str, Callable[[], Iterator[Check]]] = {
        "settings": lambda: _settings(problems),
        "python": _python,
        "libraries": _libraries,
        "threads": lambda: _threads(settings, environ),
        "corpus": lambda: _corpus(settings),
        "model": lambda: _model(settings),
        "kernel": _kernel,
        "passages": _passages,
        "encoders": lambda: _encoders(settings.encoders.expanduser()),
        "disk": lambda: _disk(settings),
        "permissions": lambda: _permissions(settings),
        "index": lambda: _index(settings.index),
        "leftovers": lambda: _leftovers(settings.index),
    }
    return tuple(check for name, make in checks.items() for check in _made(name, make))


def _made(name: str, make: Callable[[], Iterator[Check]]) -> list[Check]:
    """Return the checks that `make` yields; an error of any kind is one that failed."""
    found: list[Check] = []
    try:
        found.extend(make())
    except RetrieverError as error:
        found.append(Check(name, error.problem, error.mend or "See what the error says."))
    except Exception as error:
        mend = "pip install --force-reinstall retriever" if isinstance(error, ImportError) else "Mend what it names."
        found.append(Check(name, f"cannot be checked: {type(error).__name__}: {error}", mend))
    return found


def _settings(problems: list[SettingsError]) -> Iterator[Check]:
    for error in problems:
        yield Check("settings", error.problem, error.mend or "Give it another value, or leave it out.")
    if not problems:
        yield Check("settings", "every name and value is known")


def _python() -> Iterator[Check]:
    found = ".".join(map(str, sys.version_info[:3]))
    known = (3, 11) <= sys.version_info[:2] < (3, 14)
    yield Check("python", found, None if known else "Install Python 3.11, 3.12 or 3.13.")


def _libraries() -> Iterator[Check]:
    """Check every library against what is asked for; what only a build needs may be missing, but not be another."""
    held = 0
    for line in requires("retriever") or ():
        matched = _REQUIREMENT.match(line)
        if matched is None or matched[3] in {"test", "best"}:
            continue
        name, wanted, extra = matched[1], matched[2].strip(), matched[3]
        try:
            installed = version(name)
        except PackageNotFoundError:
            if not extra:
                yield Check("libraries", f"{name} is not installed", f"pip install '{name}{wanted}'")
            continue
        held += admits(wanted, installed)
        if not admits(wanted, installed):
            yield Check("libraries", f"{name} is {installed}, not {wanted}", f"pip install '{name}{wanted}'")
    yield Check("libraries", f"{held} have the versions that are asked for")


def admits(wanted: str, installed: str) -> bool:
    """Tell whether a version such as `1.15.1+cpu` is within `>=1.15,<1.16`."""
    number = _numbers(installed.partition("+")[0])
    for sign, bound in _CLAUSE.findall(wanted):
        one, other = _padded(number, _numbers(bound))
        holds = {">=": one >= other, "<=": one <= other, "==": one == other, "<": one < other, ">": one > other}
        if not holds[sign]:
            return False
    return True


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


def _padded(one: list[int], other: list[int]) -> tuple[list[int], list[int]]:
    length = max(len(one), len(other))
    return one + [0] * (length - len(one)), other + [0] * (length - len(other))


def _threads(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    cores = os.cpu_count() or 1
    told = environ.get("OMP_NUM_THREADS", "")
    well = True
    if told and not (told.isdecimal() and 1 <= int(told) <= cores):
        well = False
        yield Check("threads", f"OMP_NUM_THREADS is {told!r}, and there are {cores} cores", "unset OMP_NUM_THREADS")
    if settings.threads > cores:
        well = False
        yield Check("threads", f"threads is {settings.threads}, and there are {cores} cores", "RETRIEVER_THREADS=0")
    if well:
        yield Check("threads", f"{settings.threads or cores} in a build, 1 for a question; {cores} cores")


def _corpus(settings: Settings) -> Iterator[Check]:
    for path in settings.corpus:
        if not path.exists():
            yield Check("corpus", f"{path} does not exist", f"mkdir {path}, or name another with --corpus")
        elif not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            yield Check("corpus", f"{path} cannot be read", f"chmod -R u+rX {path}")
        else:
            yield Check("corpus", f"{path} is there")


def _model(settings: Settings) -> Iterator[Check]:
    from retriever.encoder import find_model, names_of, read_spec

    for name in names_of(settings.model):
        try:
            folder = find_model(name)
        except EncoderError:
            if not _carries_encoder(settings.index):
                raise
            yield Check("model", f"{name} is not installed; the index carries its encoder, so only a build wants it")
            continue
        spec = read_spec(name, folder, settings.precision)
        yield Check("model", f"{name}: weights sha256 {spec.weights[:12]}…")


def _carries_encoder(index: Path) -> bool:
    from retriever.encoder import GRAPH
    from retriever.snapshot import read_manifest

    try:
        return GRAPH in read_manifest(index).files
    except SnapshotError:
        return False


def _kernel() -> Iterator[Check]:
    from retriever.encoder import why_not

    reason = why_not()
    yield Check("kernel", f"onnxruntime encodes, in twice the time: {reason}" if reason else "encodes BERT models")


def _passages() -> Iterator[Check]:
    from retriever.compiled import why_not

    reason = why_not()
    slower = f"numpy and FAISS compare them, and take longer: {reason}"
    yield Check("passages", slower if reason else "compared by rows.c")


def _encoders(folder: Path) -> Iterator[Check]:
    from retriever.encoder import read_export

    if not folder.exists():
        yield Check("encoders", f"none is exported in {folder} yet; the first build does it")
        return
    homes = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    for home in homes:
        if home.name.startswith(".making-"):
            if time.time() - home.stat().st_mtime > _STALE_SECONDS:
                yield Check("encoders", f"{home} is left of an export that was ended", f"rm -r {home}")
            continue
        try:
            spec = read_export(home)
        except RetrieverError as error:
            yield Check("encoders", f"{home}: {error.problem}", f"rm -r {home}; the next build exports it again")
        else:
            yield Check("encoders", f"{spec.model}: exported, digest {spec.graph[:12]}…")


def _disk(settings: Settings) -> Iterator[Check]:
    for folder in dict.fromkeys((_standing(settings.index), _standing(settings.encoders.expanduser()))):
        free = shutil.disk_usage(folder).free
        mend = "Make room; retriever build --keep 1 removes older snapshots." if free < LEAST_FREE else None
        yield Check("disk", f"{free / 1e9:.1f} GB free in {folder}", mend)


def _standing(path: Path) -> Path:
    """Return `path`, or the nearest folder above it that there is."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.is_dir())


def _permissions(settings: Settings) -> Iterator[Check]:
    for path in (settings.index, settings.index / "snapshots", settings.encoders.expanduser()):
        if path.exists() and not path.is_dir():
            yield Check("permissions", f"{path} is a file, not a folder", f"mv {path} {path}.old")
        elif not os.access(_standing(path), os.R_OK | os.W_OK | os.X_OK):
            yield Check("permissions", f"{_standing(path)} cannot be written", f"chmod -R u+rwX {_standing(path)}")
        else:
            yield Check("permissions", f"{path} can be written")


def _index(index: Path) -> Iterator[Check]:
    from retriever.history import snapshots
    from retriever.snapshot import verified_manifest

    kept = []
    try:
        kept = snapshots(index)
        manifest = verified_manifest(index)
    except NoSnapshot as error:
        yield Check("index", error.problem, f"retriever build --index {index}")
        return
    except SnapshotError as error:
        older = any(not one.problem and not one.current for one in kept)
        way_back = f", or go back: retriever rollback --index {index}" if older else ""
        yield Check("index", error.problem, f"retriever build --index {index}{way_back}")
    else:
        yield Check("index", f"{manifest.id}: {manifest.counts.entries} entries, every digest verified")
    for one in kept:
        if one.problem and not one.current:
            yield Check(
                "index", f"{one.id} cannot be gone back to: {one.problem}", f"rm -r {index / 'snapshots' / one.id}"
            )


def _leftovers(index: Path) -> Iterator[Check]:
    if _building(index):
        yield Check("leftovers", f"a build is running in {index}")
        return
    left = [str(path) for path in (*sorted(index.glob(".building-*")), index / ".CURRENT") if path.exists()]
    mend = f"retriever build --index {index}" if left else None
    yield Check("leftovers", f"of builds that were ended: {', '.join(left)}" if left else "none", mend)


def _building(index: Path) -> bool:
    """Tell whether somebody holds the lock of a build; it is not made where there is none."""
    try:
        with (index / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
