"""The command line: build, ask, serve, evaluate, export, lint, questions, doctor, info, snapshots, rollback.

Exit codes: 0 done, 1 an error, 2 a usage or settings error; 3 from `ask` is no good answer, from `build` that the index
was built but something in the corpus was refused, and from `lint` and `doctor` that something should be mended; 4 from
`build` is that nothing was published, since a labelled question would be answered worse.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from retriever.errors import InputError, RetrieverError, SettingsError
from retriever.settings import Settings, check_settings, load_settings, settings_fields

EXIT_ERROR, EXIT_USAGE, EXIT_SHORT, EXIT_WORSE = 1, 2, 3, 4

app = typer.Typer(
    help="FAQ search: a question in your own words finds the passage that answers it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_MEANING = {knob.name: knob.metadata["meaning"] for knob in settings_fields()}


def _option(name: str, *flags: str) -> Any:
    """Return the option of a setting. Its default is None, so that the environment and retriever.toml are heard."""
    return typer.Option(
        f"--{name.replace('_', '-')}", *flags, help=f"{_MEANING[name]} [RETRIEVER_{name.upper()}]", show_default=False
    )


_Corpus = Annotated[list[Path] | None, _option("corpus")]
_Index = Annotated[Path | None, _option("index")]
_Model = Annotated[str | None, _option("model")]
_Precision = Annotated[str | None, _option("precision")]
_Encoders = Annotated[Path | None, _option("encoders")]
_Download = Annotated[bool | None, _option("allow_download")]
_Threads = Annotated[int | None, _option("threads")]
_Lang = Annotated[str | None, _option("lang")]
_Json = Annotated[bool | None, _option("json")]
_MinConfidence = Annotated[float | None, _option("min_confidence")]
_Feedback = Annotated[str | None, _option("feedback")]
_Expired = Annotated[str | None, _option("expired")]


@app.command()
def build(
    corpus: _Corpus = None,
    index: _Index = None,
    model: _Model = None,
    precision: _Precision = None,
    encoders: _Encoders = None,
    allow_download: _Download = None,
    lang: _Lang = None,
    keep: Annotated[int | None, _option("keep")] = None,
    threads: _Threads = None,
    force: Annotated[bool, typer.Option("--force", help="Publish though questions fare worse.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change by entry; publish nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 3 if anything is refused; publish nothing.")] = False,
    json: _Json = None,
) -> None:
    """Build the index from the corpus, and publish it if anything changed.

    Exits 3 if something was refused, and 4, with nothing published, if labelled questions, or such as an entry helped
    with, would be answered worse.
    --diff and --check only read; --check exits 3 for a line of golden.jsonl that needs mending as well.
    """
    settings = _settings(
        corpus=corpus or None,
        index=index,
        model=model,
        precision=precision,
        encoders=encoders,
        allow_download=allow_download,
        lang=lang,
        keep=keep,
        threads=threads,
        json=json,
    )
    from retriever.console import print_json, show_preview, show_report, showing_progress
    from retriever.wiring import run_build, run_preview

    if diff or check:
        found = run_preview(settings)
        if settings.json:
            print_json(found)
        else:
            show_preview(found, entries=diff)
        raise typer.Exit(0 if found.sound or not check else EXIT_SHORT)
    with showing_progress() as progress:
        report = run_build(settings, progress, force=force)
    if settings.json:
        print_json(report)
    else:
        show_report(report)
    worse = report.gate is not None and report.gate.refuses
    raise typer.Exit(EXIT_WORSE if worse else EXIT_SHORT if report.refused else 0)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question, in your own words.")],
    index: _Index = None,
    k: Annotated[int | None, _option("k", "-k")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only entries with any of these tags.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only entries of any of these files.")] = None,
    lang: Annotated[str | None, typer.Option(help="Only entries in this language.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(help="Only entries whose metadata has this.", metavar="KEY=VALUE")
    ] = None,
    pages: Annotated[bool, typer.Option("--pages", help="Search page texts instead of entries.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each kind of passage scored.")] = False,
    min_confidence: _MinConfidence = None,
    expired: _Expired = None,
    json: _Json = None,
) -> None:
    """Ask a question. Exits 0 if it is answered, 3 if there is no good answer."""
    settings = _settings(index=index, k=k, min_confidence=min_confidence, expired=expired, json=json)
    from retriever.console import print_json, show_answer
    from retriever.types import Filters
    from retriever.wiring import open_searcher

    filters = Filters(tuple(tag or ()), tuple(source or ()), lang, "page" if pages else "faq", _pairs(metadata or []))
    searcher = open_searcher(settings)
    answer = searcher.ask(question, settings.k, filters, explain=explain)
    searcher.close()
    if settings.json:
        print_json(answer)
    else:
        show_answer(answer)
    raise typer.Exit(0 if answer.answered else EXIT_SHORT)


@app.command()
def serve(
    index: _Index = None,
    corpus: _Corpus = None,
    watch: Annotated[bool | None, _option("watch")] = None,
    host: Annotated[str | None, _option("host")] = None,
    port: Annotated[int | None, _option("port")] = None,
    min_confidence: _MinConfidence = None,
    expired: _Expired = None,
    title: Annotated[str | None, _option("title")] = None,
    language: Annotated[str | None, _option("language")] = None,
    texts: Annotated[Path | None, _option("texts")] = None,
    logo: Annotated[Path | None, _option("logo")] = None,
    accent: Annotated[str | None, _option("accent")] = None,
    public_url: Annotated[str | None, _option("public_url")] = None,
    robots: Annotated[str | None, _option("robots")] = None,
    origins: Annotated[list[str] | None, _option("origins")] = None,
    message: Annotated[str | None, _option("message")] = None,
    max_body: Annotated[int | None, _option("max_body")] = None,
    workers: Annotated[int | None, _option("workers")] = None,
    queue: Annotated[int | None, _option("queue")] = None,
    remember: Annotated[int | None, _option("remember")] = None,
    feedback: _Feedback = None,
    log_questions: Annotated[bool | None, _option("log_questions")] = None,
    feedback_days: Annotated[int | None, _option("feedback_days")] = None,
) -> None:
    """Serve the search page and /ask; with --watch, build again whenever the corpus changes."""
    settings = _settings(
        index=index,
        corpus=corpus or None,
        watch=watch,
        host=host,
        port=port,
        min_confidence=min_confidence,
        expired=expired,
        title=title,
        language=language,
        texts=texts,
        logo=logo,
        accent=accent,
        public_url=public_url,
        robots=robots,
        origins=origins or None,
        message=message,
        max_body=max_body,
        workers=workers,
        queue=queue,
        remember=remember,
        feedback=feedback,
        log_questions=log_questions,
        feedback_days=feedback_days,
    )
    # NumPy and FAISS read it when they are imported: a question takes one thread, and two are answered on two cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from retriever.api.server import run_server
    from retriever.watch import watching

    with watching(settings) if settings.watch else nullcontext():
        run_server(settings)


@app.command()
def evaluate(
    sets: Annotated[list[Path], typer.Argument(help="Folders in BEIR's layout.", metavar="SET...")],
    model: _Model = None,
    precision: _Precision = None,
    encoders: _Encoders = None,
    allow_download: _Download = None,
    lang: _Lang = None,
    threads: _Threads = None,
    min_confidence: _MinConfidence = None,
    work: Annotated[Path | None, _option("work")] = None,
    json: _Json = None,
) -> None:
    """Measure ranking, speed and no-answer on labelled test sets."""
    settings = _settings(
        model=model,
        precision=precision,
        encoders=encoders,
        allow_download=allow_download,
        lang=lang,
        threads=threads,
        min_confidence=min_confidence,
        work=work,
        json=json,
    )
    from retriever.console import print_json, show_metrics, showing_progress
    from retriever.wiring import run_evaluate

    with showing_progress() as progress:
        metrics = run_evaluate(sets, settings, progress)
    if settings.json:
        print_json(metrics)
    else:
        show_metrics(metrics)


@app.command()
def export(
    form: Annotated[str, typer.Option("--format", help="jsonl, csv, jsonld or markdown.")] = "jsonl",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; stdout without.")] = None,
    corpus: _Corpus = None,
    index: _Index = None,
    lang: _Lang = None,
) -> None:
    """Write all entries of the index, or of a corpus that is named, so that a build reads them back the same.

    Exits 3 if an entry would not come back the same.
    """
    settings = _settings(index=index, lang=lang)
    from retriever.console import write_files
    from retriever.wiring import run_export

    files, lost = run_export(settings, form, corpus)
    write_files(files, output, lost)
    raise typer.Exit(EXIT_SHORT if lost else 0)


@app.command()
def lint(
    corpus: _Corpus = None,
    index: _Index = None,
    lang: _Lang = None,
    review_days: Annotated[int | None, _option("review_days")] = None,
    json: _Json = None,
) -> None:
    """Find what should be mended in the FAQ: entries that ask the same, contradict or hide each other, and more.

    Reads the index, which must be that of the corpus as it is; where only --index is named, it is taken as it is.
    Exits 3 if there is something to mend.
    """
    settings = _settings(corpus=corpus or None, index=index, lang=lang, review_days=review_days, json=json)
    from retriever.console import print_json, show_findings, showing_progress
    from retriever.wiring import run_lint

    with showing_progress() as progress:
        linted = run_lint(settings, progress, compare=bool(corpus) or index is None)
    if settings.json:
        print_json(linted)
    else:
        show_findings(linted)
    raise typer.Exit(EXIT_SHORT if linted.findings else 0)


@app.command()
def questions(
    index: _Index = None,
    feedback: _Feedback = None,
    most: Annotated[int, typer.Option("--most", help="How many unanswered questions to list.", min=1)] = 50,
    json: _Json = None,
) -> None:
    """List what was asked and not answered, the most often asked first, and what askers said of each entry.

    Questions are there where serve was run with log_questions.
    """
    settings = _settings(index=index, feedback=feedback, json=json)
    from retriever.console import print_json, show_tended
    from retriever.wiring import tended

    found, names = tended(settings, most)
    if settings.json:
        print_json(found)
    else:
        show_tended(found, names)


@app.command()
def doctor(corpus: _Corpus = None, index: _Index = None, encoders: _Encoders = None, json: _Json = None) -> None:
    """Check the installation, the settings and the index, and say what mends each failure. Exits 3 if one failed."""
    settings, problems = check_settings({"corpus": corpus or None, "index": index, "encoders": encoders, "json": json})
    from retriever.console import print_json, show_checks
    from retriever.doctor import examine

    checks = examine(settings, problems)
    well = all(check.well for check in checks)
    if settings.json:
        print_json({"well": well, "checks": checks})
    else:
        show_checks(checks)
    raise typer.Exit(0 if well else EXIT_SHORT)


@app.command()
def info(
    index: _Index = None,
    verify: Annotated[bool | None, _option("verify")] = None,
    json: _Json = None,
) -> None:
    """Say what is served; with --verify, check every file's digest first."""
    settings = _settings(index=index, verify=verify, json=json)
    from retriever.console import print_json, show_manifest
    from retriever.wiring import describe

    manifest = describe(settings)
    if settings.json:
        print_json(manifest)
    else:
        show_manifest(manifest, verified=settings.verify)


@app.command()
def snapshots(index: _Index = None, json: _Json = None) -> None:
    """List the snapshots that are kept, newest first."""
    settings = _settings(index=index, json=json)
    from retriever.console import print_json, show_snapshots
    from retriever.wiring import list_snapshots

    kept = list_snapshots(settings)
    if settings.json:
        print_json(kept)
    else:
        show_snapshots(kept)


@app.command()
def rollback(
    snapshot: Annotated[str | None, typer.Argument(help="Its id; the one before the current unless given.")] = None,
    index: _Index = None,
    json: _Json = None,
) -> None:
    """Serve a snapshot that was published before, once its digests are verified."""
    settings = _settings(index=index, json=json)
    from retriever.console import print_json, show_rollback
    from retriever.wiring import run_rollback

    manifest = run_rollback(settings, snapshot)
    if settings.json:
        print_json(manifest)
    else:
        show_rollback(manifest)


def _pairs(given: list[str]) -> dict[str, list[str]]:
    """Return `KEY=VALUE` options as the values of each key."""
    pairs: dict[str, list[str]] = {}
    for text in given:
        key, parted, value = text.partition("=")
        if not parted:
            raise InputError("metadata", f"`{text}` should be KEY=VALUE")
        pairs.setdefault(key, []).append(value)
    return pairs


def _settings(**given: Any) -> Settings:
    return load_settings(given)


def main() -> None:
    """Run the command line; an error is one line that says what to do, never a traceback."""
    try:
        app()
    except (SettingsError, InputError) as error:
        _fail(error, EXIT_USAGE)
    except RetrieverError as error:
        _fail(error, EXIT_ERROR)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has left, as `head` does; the interpreter must not flush into it.
        sys.stdout = None
        sys.exit(141)


def _fail(error: RetrieverError, code: int) -> None:
    print(f"error: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
