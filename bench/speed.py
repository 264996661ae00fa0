"""Drive the product, the plain stack and txtai with the same questions, in turn; print medians and ratios.

    python bench/speed.py [--write] [--corpus PATH ...] [--questions FILE] [--rounds 3] [--seconds 10] [--serve OPTIONS]

In every round each server is started, driven by 1, 16 and 64 clients, and stopped before the next is started. With
--write, bench/results/speed.json, the tables of README.md and docs/speed.md, and docs/speed.svg are replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from load import distinct_questions, drive
from material import ROOT, WORK, Material, material_of, parser_of
from servers import Running, System, running, three
from speed_report import plot, ratios, readme_table, whole_table, write_between

LEVELS = (1, 16, 64)
_WARM = 1.0
_MEDIANS = ("per_second", "p50_ms", "p99_ms", "cpu_ms", "client_busy", "others_busy")


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and with --write replace what the repository shows."""
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    given = parser.parse_args(arguments)
    # Told to stop, it stops the server that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    material, machine = material_of(given), _machine()
    systems = three(material, WORK, given.serve)
    print(f"{len(material.entries)} entries, questions put together from {len(material.asked)}", flush=True)
    rounds = [
        _measure(system, material, at, given)
        for at in range(given.rounds)
        # Each goes first in turn.
        for system in (*systems[at % len(systems) :], *systems[: at % len(systems)])
    ]
    results: dict[str, Any] = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "corpus": {"name": material.name, "entries": len(material.entries), "questions": len(material.asked)},
        "settings": {"rounds": given.rounds, "seconds": given.seconds, "serve": given.serve},
        "systems": {system.name: _medians([r for r in rounds if r["system"] == system.name]) for system in systems},
        "rounds": rounds,
    }
    results["ratios"] = ratios(results["systems"])
    print("\n" + whole_table(results))
    if given.write:
        _write(results)


def _measure(system: System, material: Material, at: int, given: argparse.Namespace) -> dict[str, Any]:
    """Return what one start of `system` came to: time to start, each load, memory after all of them."""
    with running(system, material.probe, WORK / "server.log") as server:
        loads = []
        for number, clients in enumerate(LEVELS):
            begin = (at * len(LEVELS) + number) / (given.rounds * len(LEVELS))
            questions = distinct_questions(material.asked, begin)
            loads.append(_load(system, server, map(system.request, questions), clients, given.seconds))
            print(f"round {at + 1}, {system.name}: {loads[-1]}", flush=True)
        figures = {"start_s": server.start_s, "memory_mb": server.memory(), "loads": loads}
    return {"round": at + 1, "system": system.name, **figures}


def _load(system: System, server: Running, requests: Any, clients: int, seconds: float) -> dict[str, float]:
    """Return what one load came to, with the processor time of the server, and how busy everything else was."""
    used, busy = server.cpu_seconds(), _busy_seconds()
    load = drive(server.port, requests, system.is_answer, clients=clients, seconds=seconds, warm=_WARM)
    used, busy, whole = server.cpu_seconds() - used, _busy_seconds() - busy, seconds + _WARM
    return {
        **load.summary(),
        "cpu_ms": round(used * 1000 / max(load.answers * whole / seconds, 1), 2),
        "others_busy": round((busy - used) / whole - load.busy, 2),
    }


def _busy_seconds() -> float:
    """Return the processor seconds that this machine has used so far, whoever used them."""
    user, nice, system, _, _, irq, soft, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")


def _medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the median of every figure over the rounds; answers and errors are added up."""

    def of(figure: Callable[[dict[str, Any]], float]) -> float:
        return round(median(map(figure, rounds)), 3)

    loads: dict[str, dict[str, float]] = {}
    for at, clients in enumerate(LEVELS):
        medians = {key: of(lambda r, a=at, k=key: r["loads"][a][k]) for key in _MEDIANS}
        sums = {key: sum(r["loads"][at][key] for r in rounds) for key in ("answers", "errors")}
        loads[str(clients)] = medians | sums
    memory = {key: of(lambda r, k=key: r["memory_mb"][k]) for key in rounds[0]["memory_mb"]}
    return {"start_s": of(lambda r: r["start_s"]), "memory_mb": memory, "loads": loads}


def _machine() -> dict[str, Any]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": models[0].partition(":")[2].strip() if models else platform.machine(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _write(results: dict[str, Any]) -> None:
    home = ROOT / "bench" / "results" / "speed.json"
    home.parent.mkdir(exist_ok=True)
    home.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    write_between(ROOT / "README.md", "speed", readme_table(results))
    write_between(ROOT / "docs" / "speed.md", "speed", whole_table(results))
    (ROOT / "docs" / "speed.svg").write_text(plot(results), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
