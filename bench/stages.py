"""Where the time of a question goes in the product, stage by stage.

    python bench/stages.py [--write] [--corpus PATH ...] [--questions FILE] [--serve OPTIONS] [--count 1000]

Processor time of the thread that answers, less what the stages inside a stage take; a busy machine changes it little.
HTTP is what a question takes of a server beyond that, asked over one kept connection. With --write, the table in
docs/speed.md is replaced.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from load import Client, distinct_questions
from material import ROOT, WORK, material_of, parser_of
from retriever import comparing, deciding, lexical, search, show, showing, snapshot, weighing
from retriever.encoder import OnnxEncoder
from retriever.encoder.tokens import Window
from servers import product, running
from speed_report import write_between

_WARM = 100
# Every stage, and the functions that are it.
STAGES: Sequence[tuple[str, Any, str]] = (
    ("the question put right", lexical.Lexical, "correct"),
    ("tokens", Window, "ids"),
    ("encoder", OnnxEncoder, "_run"),
    ("cosines", comparing.Comparing, "compare"),
    ("nearest entries", weighing.Near, "nearest"),
    ("words", lexical.Lexical, "look_up"),
    ("words", lexical.Asked, "best"),
    ("words", lexical.Asked, "scores"),
    ("candidates and their order", weighing.Weighing, "rank"),
    ("entries from disk", snapshot.Snapshot, "entry"),
    ("confidence", deciding.Deciding, "confidence"),
    ("missing words", deciding.Deciding, "missing"),
    ("hits and their sentences", showing.Showing, "wanted"),
    ("hits and their sentences", showing.Showing, "hits"),
    ("marks in HTML", show, "mark"),
    ("the rest of a search", search.Searcher, "ask"),
    ("JSON", msgspec.json, "encode"),
)
HTTP = "HTTP, threads, checks"


class Stages:
    """Milliseconds of processor time by stage. A stage inside another is taken off the outer one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inner = [0.0]

    def time(self, stage: str, owner: Any, name: str) -> None:
        """Count the time of `owner.name` as `stage` from now on."""
        plain: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            self._inner.append(0.0)
            try:
                return plain(*args, **kwargs)
            finally:
                took = time.thread_time() - began
                self.spent[stage] += (took - self._inner.pop()) * 1000
                self._inner[-1] += took

        setattr(owner, name, timed)


def main(arguments: Sequence[str]) -> None:
    """Measure and print; with --write replace the table in the documentation."""
    parser = parser_of(__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many questions")
    given = parser.parse_args(arguments)
    material = material_of(given)
    questions = list(islice(distinct_questions(material.asked), _WARM + given.count))
    system = product(material, given.serve)
    with running(system, material.probe, WORK / "server.log") as server:
        whole, round_trip = _served(server, [system.request(question) for question in questions])
    table = report(_in_process(material.folder / "retriever", questions), whole, round_trip)
    print(table)
    if given.write:
        write_between(ROOT / "docs" / "speed.md", "stages", table)


def _served(server: Any, requests: Sequence[bytes]) -> tuple[float, float]:
    """Return milliseconds of the server's processor time a question, and the median of the round trips, one client."""
    client, took = Client(server.port), []
    for at, request in enumerate(requests):
        if at == _WARM:
            used = server.cpu_seconds()
        began = time.perf_counter()
        status, _ = client.ask(request)
        took.append((time.perf_counter() - began) * 1000)
        assert status == 200
    used = server.cpu_seconds() - used
    client.close()
    return used * 1000 / (len(requests) - _WARM), float(np.median(took[_WARM:]))


def _in_process(index: Path, questions: Sequence[str]) -> dict[str, float]:
    """Return milliseconds a question of each stage of an answer and of its JSON."""
    searcher = search.Searcher.open(index)
    for question in questions[:_WARM]:
        msgspec.json.encode(searcher.ask(question))
    stages = Stages()
    for stage in STAGES:
        stages.time(*stage)
    for question in questions[_WARM:]:
        msgspec.json.encode(searcher.ask(question))
    searcher.close()
    return {stage: spent / len(questions[_WARM:]) for stage, spent in stages.spent.items()}


def report(stages: dict[str, float], whole: float, round_trip: float) -> str:
    """Return the table, and how far the whole is from the encoder alone."""
    stages = {**stages, HTTP: max(whole - sum(stages.values()), 0.0)}
    total = sum(stages.values())
    lines = ["| stage | ms a question | share |", "|---|---|---|"]
    for stage, spent in sorted(stages.items(), key=lambda item: -item[1]):
        lines.append(f"| {stage} | {spent:.2f} | {spent / total:.0%} |")
    lines.append(f"| **all** | **{total:.2f}** | |")
    encoder = stages["encoder"]
    return "\n".join(lines) + (
        f"\n\nThe encoder alone takes {encoder:.2f} ms of it; all the rest takes {total - encoder:.2f} ms, "
        f"{(total - encoder) / encoder:.1f} times as much. One client waits {round_trip:.1f} ms for an answer."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
