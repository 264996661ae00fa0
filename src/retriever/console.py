"""What the command line shows: progress on stderr, results on stdout."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from retriever.errors import InputError
from retriever.types import Answer, Calibration, FileReport, Gate, Given, Hit, Manifest, Nearest, Replayed, Separation

if TYPE_CHECKING:
    from retriever.build import BuildReport
    from retriever.build import Progress as Report
    from retriever.doctor import Check
    from retriever.feedback import Tended
    from retriever.history import Kept
    from retriever.lint import Linted
    from retriever.preview import Preview

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
    for warning in report.warnings:
        print(f"warning: {_plain(warning)}")
    if report.gate:
        _show_gate(report.gate, told=not report.published and not report.gate.refuses)
    if report.gate and report.gate.refuses:
        print(
            f"NOT PUBLISHED: snapshot {report.snapshot} still serves. To publish all the same: retriever build --force"
        )
    elif report.published:
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


def show_preview(preview: Preview, *, entries: bool) -> None:
    """Print what a build would change, a line an entry where `entries` are wanted, and all that is to be mended."""
    console = Console(highlight=False, markup=False, emoji=False)
    changes = (("+", "added", "green"), ("~", "changed", "yellow"), ("-", "removed", "red"))
    for mark, name, style in changes if entries else ():
        for change in getattr(preview, name):
            fields = f"  ({', '.join(change.fields)})" if change.fields else ""
            line = f"{mark} {name:<8} {change.file}:{change.line}  {change.question}{fields}"
            console.print(_plain(line), style=style, soft_wrap=True)
    for refusal in preview.refused + preview.findings:
        name = "finding" if refusal in preview.findings else "refused"
        place = f"{refusal.file}:{refusal.line}" if refusal.line else refusal.file
        console.print(_plain(f"! {name:<8} {place}  {refusal.reason}"), style="bold red", soft_wrap=True)
    counts = [f"{len(getattr(preview, name))} {name}" for _, name, _ in changes]
    counts += [f"{preview.moved} in other lines", f"{preview.unchanged} unchanged", f"{len(preview.refused)} refused"]
    counts += [f"{preview.labelled} labelled questions, {len(preview.findings)} to mend"] * bool(preview.labelled)
    console.print(f"{', '.join(counts)}. Nothing was published.", soft_wrap=True)


def _show_gate(gate: Gate, *, told: bool) -> None:
    """Print how labelled questions are answered; what changed by it only where that is not `told` already."""
    if gate.golden:
        _show_labelled(gate, told=told)
    if gate.asked and not told:
        print(f"Questions asked before: {gate.asked} replayed, {len(gate.shifts)} answered differently.")
    for shift in () if told else gate.shifts:
        print(f"  {'WORSE ' if shift.regression else ''}{_plain(shift.question)}")
        print(f"    {_given(shift.before)} → {_given(shift.now)}")


def _show_labelled(gate: Gate, *, told: bool) -> None:
    was = f", {gate.right_before} before" if gate.right_before is not None else ""
    print(f"Labelled questions: {gate.right} of {gate.judged} answered rightly{was}.")
    for finding in gate.findings:
        print(f"  {_plain(finding.file)}:{finding.line}: {_plain(finding.reason)}")
    for difference in () if told else gate.differences:
        print(f"  {'WORSE ' if difference.regression else ''}{_plain(difference.question)}")
        print(f"    {_shown(difference.before)} → {_shown(difference.now)}")


def _shown(replayed: Replayed) -> str:
    """Return what was answered, in a few words: a first hit that was not given as the answer stands in brackets."""
    return f"{_given(replayed)}, {'right' if replayed.right else 'wrong'}"


def _given(given: Given | Replayed) -> str:
    first = f"“{_plain(given.question or '')}”"
    said = first if given.answered else f"no answer (nearest {first})" if given.question else "no answer"
    return f"{said} {given.confidence:.2f}"


def show_answer(answer: Answer) -> None:
    """Print an answer for a person."""
    if answer.corrected:
        print(f"Searched for: {_plain(answer.corrected)}")
    if not answer.hits:  # another wording would not help
        print("There is nothing to find: no entry passes the filters, or none holds today.")
    elif answer.message:
        print(_plain(answer.message))
    if answer.missing:
        print(f"Nothing here mentions {_plain(', '.join(answer.missing))}.")
    print()
    for hit in answer.hits:
        _show_hit(hit)
    took = answer.took_ms
    print(f"Confidence {answer.confidence:.2f}. Took {took.total:.0f} ms, {took.encode:.0f} of them to encode.")


def _show_hit(hit: Hit) -> None:
    print(f"{hit.score:.2f}  {_plain(hit.question)}")
    # The nearest may be the question itself, which stands above already.
    near = hit.passage.text if hit.passage.kind == "answer" else hit.highlight.text
    for paragraph in hit.answer.text.split("\n\n") if hit.rank == 1 else [near]:
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
        "separation": _separation(manifest.calibration.separation),
    }
    for name, value in rows.items():
        print(f"{name:<11} {_plain(value)}")


def _separation(separation: Separation | None) -> str:
    if separation is None:
        return "not measured: there are too few questions"
    return (
        f"AUROC {separation.near:.2f} near, {separation.far:.2f} far; {separation.questions} questions are nearer to "
        f"their own answer than to {separation.own:.0%} of the others"
    )


def _nearest(nearest: Nearest) -> str:
    if nearest.kind == "exact":
        return "every vector compared"
    if nearest.kind == "half":
        return "every vector that is no sentence's compared, in half precision"
    return f"{nearest.probes} of {nearest.lists} lists read, recall@10 {nearest.recall:.3f} as measured at build"


def show_findings(linted: Linted) -> None:
    """Print a line a finding, where it is first, as compilers do; and how many there are of each kind."""
    from retriever.lint import KINDS

    console = Console(highlight=False, markup=False, emoji=False)
    for finding in linted.findings:
        place = f"{finding.file}:{finding.line}" if finding.line else finding.file
        other = finding.other
        at = f" [{other.file}:{other.line}]" if other and other.line else f" [{other.file}]" if other else ""
        near = f" (similarity {finding.similarity:.2f})" if finding.similarity is not None else ""
        console.print(_plain(f"{place}: {finding.kind}: {finding.message}{near}{at}"), soft_wrap=True)
    counts = {kind: sum(finding.kind == kind for finding in linted.findings) for kind in KINDS}
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing to mend"
    console.print(f"{linted.entries} entries: {found}.", soft_wrap=True)


def show_tended(tended: Tended, names: Mapping[str, str]) -> None:
    """Print the questions that got no answer, and what was said of entries; `names` are the entries' questions."""

    def named(entry_id: str | None) -> str:
        return f"“{names.get(entry_id, entry_id)}”" if entry_id else "nothing"

    console = Console(highlight=False, markup=False, emoji=False)
    if not tended.asked:
        console.print("No question is kept. To keep them: retriever serve --log-questions", soft_wrap=True)
    else:
        answered = f"{tended.answered} of {tended.asked} questions answered"
        console.print(f"{answered}." if tended.answered == tended.asked else f"{answered}; not answered:")
    for one in tended.unanswered:
        near = f"nearest {named(one.nearest)} {one.confidence:.2f}"
        console.print(_plain(f"{one.times:>5} ×  {_ago(one.last):>6}  {one.question}  ({near})"), soft_wrap=True)
    console.print("What askers said of entries:" if tended.opinions else "Nothing was said of any entry.")
    for opinion in tended.opinions:
        said = f"{opinion.helpful} helpful, {opinion.unhelpful} not"
        console.print(_plain(f"{said:>20}  {named(opinion.entry_id)}"), soft_wrap=True)
        for question in opinion.unhelpful_for:
            console.print(_plain(f"{'':>20}  not for: {question}"), soft_wrap=True)


def show_checks(checks: Sequence[Check]) -> None:
    """Print a line a check, and below one that failed what mends it."""
    for check in checks:
        print(_plain(f"{'ok' if check.well else 'FAILED':<7} {check.name:<12} {check.found}"))
        if check.mend:
            print(_plain(f"{'':<20} {check.mend}"))


def show_snapshots(kept: Sequence[Kept]) -> None:
    """Print the snapshots that are kept, the one that is served marked."""
    for one in kept:
        about = one.problem or f"{one.entries} entries, {one.encoder}, {_gate_of(one)}"
        age = _age(one.created) if one.created else "?"
        print(_plain(f"{'*' if one.current else ' '} {one.id}  {age:>8}  {about}"))


def _gate_of(kept: Kept) -> str:
    worse = f", {kept.regressions} worse: forced" if kept.forced else ""
    asked = f", {kept.shifted} of {kept.asked} asked before answered differently" if kept.asked else ""
    if kept.judged is None:
        return f"no labelled questions{asked}{worse}"
    return f"{kept.right} of {kept.judged} labelled questions right{asked}{worse}"


def _age(created: str) -> str:
    """Return how long ago that was, in the largest unit of which there are at least two."""
    return _ago(datetime.fromisoformat(created).timestamp())


def _ago(then: float) -> str:
    seconds = max(datetime.now(UTC).timestamp() - then, 0)
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def show_rollback(manifest: Manifest) -> None:
    """Print what is served again."""
    print(f"Snapshot {manifest.id} serves again: {manifest.counts.entries} entries, every digest verified.")
    print("The next build publishes the corpus as it is then.")


def _curves(calibration: Calibration) -> str:
    """Return the curves that make a confidence of a score, in a line."""
    scope, right = calibration.scope, calibration.right
    own = f"sharpened with {calibration.labelled} labelled questions" if calibration.labelled else "shipped"
    return (
        f"{own}: scope {scope.intercept:.2f} + {scope.weights[0]:.2f} ln score + {scope.weights[1]:.2f} ln words; "
        f"right {right.intercept:.2f} + {right.weights[0]:.2f} ln score {right.weights[1]:+.2f} ln words "
        f"+ {right.weights[2]:.2f} lead; floor {calibration.floor}"
        + (f"; then {calibration.slope:.2f} of its logit {calibration.shift:+.2f}" if calibration.labelled else "")
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
    for row in metrics["sets"]:
        if row.get("unasked"):
            print(f"{row['name']}: {row['unasked']} queries are no question that is taken, and count as missed")


def _dig(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if value else None
    return value


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
