"""Measure the product and the simple systems on test sets, and write the tables of docs/evaluation.md.

    python bench/evaluation.py [--write] SET...

Each SET is a folder in BEIR's layout. With --write, the tables and the plot in docs/ are replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retriever.cache import VectorCache
from retriever.settings import load_settings
from retriever.wiring import load_encoder_of, run_evaluate
from systems import SYSTEMS, TestSet, measure

DOCS = Path(__file__).parent.parent / "docs"
PRODUCT = "**retriever**"
_KEYS = ("ndcg@10", "success@1")


def main(arguments: Sequence[str]) -> None:
    """Measure, print, and with --write replace what docs/evaluation.md shows."""
    folders = [Path(argument).resolve() for argument in arguments if argument != "--write"]
    settings = load_settings({})
    product = run_evaluate(folders, settings, lambda *_: None)
    rows = {PRODUCT: {row["name"]: row for row in product["sets"]}, **_systems(folders, settings)}
    sections = {
        "ranking": "\n\n".join(f"### {key}\n\n{_ranking_table(rows, key)}" for key in ("nDCG@10", "Success@1")),
        "abstaining": _abstaining_table(product),
    }
    print("\n\n".join(sections.values()))
    if "--write" in arguments:
        _write(sections)
        (DOCS / "reliability.svg").write_text(_plot(product), encoding="utf-8")


def _systems(folders: Sequence[Path], settings: Any) -> dict[str, dict[str, Any]]:
    encoder = load_encoder_of(settings)
    with VectorCache(settings.work / "systems.cache", encoder.spec) as cache:
        tests = [TestSet(folder, encoder, cache) for folder in folders]
        return {
            name: {test.folder.name: {"name": test.folder.name, **measure(test, system(test))} for test in tests}
            for name, system in SYSTEMS.items()
        }


def _ranked(name: str) -> bool:
    """The -leaveout sets are for no-answer; covid-de measures the encoder's language. Neither counts in a mean."""
    return not name.endswith("-leaveout") and name != "covid-de"


def _ranking_table(rows: Mapping[str, Mapping[str, Any]], key: str) -> str:
    names = sorted(name for name in rows[PRODUCT] if not name.endswith("-leaveout"))
    names.sort(key=lambda name: not _ranked(name))
    lines = [f"| system | {' | '.join(names)} | **mean** |", f"|---|{'---|' * (len(names) + 1)}"]
    for system, sets in rows.items():
        mean = np.mean(_family_means([sets[name] for name in names if _ranked(name)], key.lower()))
        figures = " | ".join(f"{sets[name][key.lower()]:.3f}" for name in names)
        lines.append(f"| {system} | {figures} | **{mean:.3f}** |")
    return "\n".join(lines)


def _family_means(sets: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    families = {row["name"].partition("-")[0] for row in sets}
    return [float(np.mean([r[key] for r in sets if r["name"].partition("-")[0] == family])) for family in families]


def _abstaining_table(product: Mapping[str, Any]) -> str:
    columns = ("kept", "far rejected", "far AUROC", "near rejected", "near AUROC", "ECE")
    lines = [f"| set | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    rows = {row["name"]: _abstaining(row["oos"]) for row in product["sets"] if "oos" in row}
    for name, figures in sorted(rows.items()):
        lines.append(f"| {name} | {' | '.join('' if f is None else f'{f:.3f}' for f in figures)} |")
    means = [np.mean([f for f in column if f is not None]) for column in zip(*rows.values(), strict=True)]
    lines.append(f"| **mean** | {' | '.join(f'**{mean:.3f}**' for mean in means)} |")
    return "\n".join(lines)


def _abstaining(oos: Mapping[str, Any]) -> list[float | None]:
    both = [oos[kind][key] for kind in ("far", "near") for key in ("rejected", "auroc")]
    return [oos["kept"], *both, oos["ece"]]


def _write(sections: Mapping[str, str]) -> None:
    page = DOCS / "evaluation.md"
    text = page.read_text(encoding="utf-8")
    for name, section in sections.items():
        marked = f"<!-- {name} -->\n\n{section}\n\n<!-- /{name} -->"
        text = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, m=marked: m, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def _plot(product: Mapping[str, Any]) -> str:
    """Return a reliability plot as SVG: a dot a bin of each set, its size by its questions, and the diagonal."""
    size, edge = 420, 40

    def x(value: float) -> float:
        return round(edge + value * (size - 2 * edge), 1)

    def y(value: float) -> float:
        return round(size - x(value), 1)

    bins = [one for row in product["sets"] for one in row.get("oos", {}).get("reliability", [])]
    dots = "".join(
        f'<circle cx="{x(b["said"])}" cy="{y(b["was"])}" r="{round(b["questions"] ** 0.5 / 2, 1)}"/>' for b in bins
    )
    ticks = "".join(
        f'<text x="{x(t)}" y="{size - 18}" text-anchor="middle">{t}</text>'
        f'<text x="32" y="{y(t) + 4}" text-anchor="end">{t}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" font-family="sans-serif" font-size="11">'
        f'<rect width="{size}" height="{size}" fill="#fff"/>'
        f'<path d="M{x(0)} {y(1)}V{y(0)}H{x(1)}M{x(0)} {y(0)}L{x(1)} {y(1)}" fill="none" stroke="#888"/>'
        f'<g fill="#9a5700" fill-opacity=".45">{dots}</g>{ticks}'
        f'<text x="{size / 2}" y="{size - 3}" text-anchor="middle">confidence said</text>'
        f'<text x="{edge + 6}" y="{edge - 8}">share of first hits that were right</text></svg>\n'
    )


if __name__ == "__main__":
    main(sys.argv[1:])
