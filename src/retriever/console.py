"""What the command line shows: progress on stderr, results on stdout."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from retriever.build import BuildReport
from retriever.build import Progress as Report
from retriever.errors import InputError
from retriever.types import Answer, Calibration, FileReport, Hit, Manifest, Nearest

_WIDTH = 100


def print_json(value: object) -> None:
    """Print `value` as indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


@contextmanager
def showing_progress() -> Iterator[Report]:
    """Yield a function that shows progress: a bar on a terminal, a line a step in a log. On stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _line_a_step()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(step, total=total)
            bars.update(tasks[step], completed=done, total=total)

        yield show


def _line_a_step() -> Report:
    shown: dict[str, int] = {}

    def show(step: str, done: int, total: int) -> None:
        tenths = 10 * done // total if total else 10
        if shown.get(step) != tenths:
            shown[step] = tenths
            sys.stderr.write(f"{step}: {done} of {total}\n")
            sys.stderr.flush()

    return show


def write_files(files: Sequence[str], output: Path | None, lost: Sequence[str]) -> None:
    """Write an export to `output`, and the files after the first beside it with a number; or to stdout."""
    if output is None and len(files) > 1:
        raise InputError("output", f"is needed: this export is {len(files)} files, as large as a build reads")
    for number, text in enumerate(files, 1):
        if output is None:
            sys.stdout.write(text)
        else:
            path = output if number == 1 else output.with_stem(f"{output.stem}-{number}")
            try:
                path.write_text(text, encoding="utf-8", newline="\n")
            except OSError as error:
                raise InputError("output", f"{path} cannot be written: {error.strerror}") from error
    for entry in lost:
        print(f"{_plain(entry)}: would not be read back the same", file=sys.stderr)


def show_report(report: BuildReport) -> None:
    """Print what a build did, and a line for each file with something to say."""
    for row in report.ledger:
        _show_file(row)
    counts = report.counts
    parts = [f"{counts.entries} entries", f"{counts.passages} passages"]
    parts += [f"{counts.pages} page texts"] * bool(counts.pages)
    parts += [f"{counts.merged} merged"] * bool(counts.merged)
    parts += [f"{counts.refused} REFUSED"] * bool(counts.refused)
    print(f"{counts.files} files: {', '.join(parts)}")
    if report.published:
        print(f"Encoded {report.encoded} texts anew, reused {report.reused}. Took {report.took_s:.1f} s.")
        print(f"Published snapshot {report.snapshot}.")
    else:
        print(f"Nothing changed since snapshot {report.snapshot}, so nothing was published.")


def _show_file(row: FileReport) -> None:
    taken = f"{row.indexed} of {row.seen} entries"
    taken += f", {row.merged} merged" * bool(row.merged) + f", {len(row.refused)} refused" * bool(row.refused)
    print(f"{_plain(row.file)}: {taken}")
    for note in row.notes:
        print(f"  note: {_plain(note)}")
    for refusal in row.refused:
        print(f"  refused{f' line {refusal.line}' if refusal.line else ''}: {_plain(refusal.reason)}")


def show_answer(answer: Answer) -> None:
    """Print an answer for a person."""
    if answer.corrected:
        print(f"Searched for: {_plain(answer.corrected)}")
    if answer.message:
        print(_plain(answer.message))
    if answer.missing:
        print(f"Nothing here about {_plain(', '.join(answer.missing))}.")
    print()
    for hit in answer.hits:
        _show_hit(hit)
    took = answer.took_ms
    print(f"Confidence {answer.confidence:.2f}. Took {took.total:.0f} ms, {took.encode:.0f} of them to encode.")


def _show_hit(hit: Hit) -> None:
    print(f"{hit.score:.2f}  {_plain(hit.question)}")
    for paragraph in hit.answer.text.split("\n\n") if hit.rank == 1 else [hit.passage.text]:
        mark = "> " if paragraph == hit.passage.text and hit.rank == 1 else "  "
        print(textwrap.indent(textwrap.fill(_plain(paragraph), _WIDTH - 6), f"    {mark}"))
    place = hit.source.url or f"{hit.source.file}:{hit.source.line}"
    print(f"      [{_plain(place)}]")
    if hit.explain:
        print("      " + " + ".join(f"{part} {name}" for name, part in hit.explain.parts.items()))
        print(f"      = {hit.explain.total}")
    print()


def _plain(text: str) -> str:
    """Return `text` without the control characters that could drive a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def show_manifest(manifest: Manifest, *, verified: bool) -> None:
    """Print what a snapshot is."""
    counts, encoder = manifest.counts, manifest.encoder
    rows = {
        "snapshot": manifest.id + (", every digest verified" if verified else ""),
        "made": manifest.created,
        "entries": f"{counts.entries} from {counts.files} files",
        "page texts": str(counts.pages),
        "passages": f"{counts.passages} ({counts.split} split to fit)",
        "merged": str(counts.merged),
        "refused": str(counts.refused),
        "encoder": encoder.model,
        "weights": f"sha256 {encoder.weights}",
        "vectors": f"{encoder.dimension} dimensions, {encoder.precision}, pooling {encoder.pooling}",
        "nearest": _nearest(manifest.nearest),
        "window": f"{encoder.window} tokens",
        "confidence": _curves(manifest.calibration),
    }
    for name, value in rows.items():
        print(f"{name:<11} {_plain(value)}")


def _nearest(nearest: Nearest) -> str:
    if nearest.kind == "exact":
        return "every vector compared"
    if nearest.kind == "half":
        return "every vector that is no sentence's compared, in half precision"
    return f"{nearest.probes} of {nearest.lists} lists read, recall@10 {nearest.recall:.3f} as measured at build"


def _curves(calibration: Calibration) -> str:
    """Return the curves that make a confidence of a score, in a line."""
    scope, right = calibration.scope, calibration.right
    own = f", moved by {calibration.labelled} labelled questions" if calibration.labelled else ""
    return (
        f"scope {scope.intercept:.2f} + {scope.weights[0]:.2f} ln score + {scope.weights[1]:.2f} ln words; "
        f"right {right.intercept:.2f} + {right.weights[0]:.2f} ln score {right.weights[1]:+.2f} ln words "
        f"+ {right.weights[2]:.2f} lead; floor {calibration.floor}{own}"
    )


_COLUMNS = ("ndcg@10", "success@1", "success@5", "recall@10", "mrr@10", "p50_ms", "p95_ms")
_OOS = {"kept": ("kept",), "far auroc": ("far", "auroc"), "far rej.": ("far", "rejected")}
_OOS |= {"near auroc": ("near", "auroc"), "near rej.": ("near", "rejected")}


def show_metrics(metrics: Mapping[str, Any]) -> None:
    """Print the measures of each set, and their mean over families."""
    table = Table(box=None, pad_edge=False)
    table.add_column("set")
    for name in ("queries", *_COLUMNS, *_OOS):
        table.add_column(name, justify="right")
    for row in metrics["sets"]:
        oos = [_dig(row.get("oos"), path) for path in _OOS.values()]
        table.add_row(row["name"], str(row["queries"]), *(_figure(row[c]) for c in _COLUMNS), *map(_figure, oos))
    mean = metrics["mean"]
    table.add_row(f"mean of {mean['families']} families", "", *(_figure(mean.get(c)) for c in _COLUMNS))
    Console(width=max(Console().width, 150)).print(table)


def _dig(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if value else None
    return value


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
