"""The figures of `bench/speed.py` as tables, ratios and a plot."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the tables: where it is in a system's results, its unit, and whether more of it is better."""

    title: str
    unit: str
    of: Callable[[Results], float]
    more: bool = False


def _load(title: str, unit: str, clients: int, key: str, *, more: bool = False) -> Figure:
    plural = "client" if clients == 1 else "clients"
    return Figure(f"{title}, {clients} {plural}", unit, lambda s: float(s["loads"][str(clients)][key]), more)


_SECONDS = [_load("answers a second", "", clients, "per_second", more=True) for clients in (1, 16, 64)]
_P50 = [_load("p50", "ms", clients, "p50_ms") for clients in (1, 16, 64)]
_P99 = [_load("p99", "ms", clients, "p99_ms") for clients in (1, 16, 64)]
_START = Figure("start to the first correct answer", "s", lambda s: float(s["start_s"]))
_MEMORY = Figure("memory", "MB", lambda s: float(s["memory_mb"]["pss"]))
_OTHER_MEMORY = [
    Figure("memory without mapped files", "MB", lambda s: float(s["memory_mb"]["anonymous"])),
    Figure("memory, shared pages counted in each process", "MB", lambda s: float(s["memory_mb"]["rss"])),
]
_CPU = _load("processor time a question", "ms", 16, "cpu_ms")

SHORT = (_P50[0], _SECONDS[1], _P99[1], _START, _MEMORY)
WHOLE = (
    *(figure for trio in zip(_SECONDS, _P50, _P99, strict=True) for figure in trio),
    _CPU,
    _START,
    _MEMORY,
    *_OTHER_MEMORY,
)


def ratios(systems: Mapping[str, Results]) -> dict[str, dict[str, float]]:
    """Return, for each peer, how many times better the product is in each figure."""
    product, *peers = systems
    return {
        peer: {figure.title: round(_times(figure, systems[product], systems[peer]), 2) for figure in WHOLE}
        for peer in peers
    }


def _times(figure: Figure, product: Results, peer: Results) -> float:
    ours, theirs = figure.of(product), figure.of(peer)
    better, worse = (ours, theirs) if figure.more else (theirs, ours)
    return better / worse if worse else float("nan")


def readme_table(results: Results) -> str:
    """Return the few figures that the README shows."""
    return f"{_table(results, SHORT)}\n\n{_caption(results)}"


def whole_table(results: Results) -> str:
    """Return every figure, and how it was measured."""
    return f"{_table(results, WHOLE)}\n\n{_caption(results)}\n\n{_errors(results)}"


def _table(results: Results, figures: Sequence[Figure]) -> str:
    systems = results["systems"]
    product, *peers = systems
    lines = [f"| | **{product}** | {' | '.join(peers)} | against {' | against '.join(peers)} |"]
    lines.append(f"|---|{'---|' * (1 + 2 * len(peers))}")
    for figure in figures:
        ours = f"**{_shown(figure, systems[product])}**"
        theirs = [_shown(figure, systems[peer]) for peer in peers]
        times = [f"{_number(_times(figure, systems[product], systems[peer]))} ×" for peer in peers]
        lines.append(f"| {' | '.join([figure.title, ours, *theirs, *times])} |")
    return "\n".join(lines)


def _shown(figure: Figure, system: Results) -> str:
    return f"{_number(figure.of(system))} {figure.unit}".strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _caption(results: Results) -> str:
    corpus, machine, settings = results["corpus"], results["machine"], results["settings"]
    options = f" with `{settings['serve']}`" if settings["serve"] else ""
    return (
        f"Medians of {settings['rounds']} rounds of {settings['seconds']:g} s on {machine['cores']} cores "
        f"({machine['processor']}), {results['when'][:10]}: {corpus['entries']:,} entries ({corpus['name']}), distinct "
        f"questions, all with the same MiniLM weights; retriever with its default settings{options}. × says how many "
        f"times better retriever is.{_disturbed(results)}"
    )


def _errors(results: Results) -> str:
    counted = [
        f"{name} {sum(load['errors'] for load in system['loads'].values()):,} of "
        f"{sum(load['answers'] + load['errors'] for load in system['loads'].values()):,}"
        for name, system in results["systems"].items()
    ]
    return f"Errors: {', '.join(counted)}."


def _disturbed(results: Results) -> str:
    """Return a warning if other programs took more than a tenth of a core meanwhile."""
    others = max(load["others_busy"] for one in results["rounds"] for load in one["loads"])
    return f" **Not a quiet machine**: other programs took up to {others:.1f} cores meanwhile." if others > 0.1 else ""


def write_between(page: Path, name: str, text: str) -> None:
    """Replace what stands in `page` between the markers of `name`."""
    marked = f"<!-- {name} -->\n\n{text}\n\n<!-- /{name} -->"
    old = page.read_text(encoding="utf-8")
    page.write_text(re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _: marked, old, flags=re.DOTALL), "utf-8")


# --- the plot -----------------------------------------------------------------------------------------------------

_PANELS = (_P50[0], _SECONDS[1], _P99[1], _SECONDS[2], _START, _MEMORY)
_WIDE, _HIGH, _ACROSS = 270, 128, 3
# The search page's colours, on a ground of their own: read in light and in dark alike.
_STYLE = (
    "text{fill:#222}.ground{fill:#fff}.ours{fill:#9a5700}.theirs{fill:#b9b4ac}.small{font-size:11px}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.ground{fill:#1b1a18}.ours{fill:#f0a83c}.theirs{fill:#6b675f}}"
)


def plot(results: Results) -> str:
    """Return the figures as bars in SVG: a panel a figure, a bar a system."""
    systems = results["systems"]
    width, height = _ACROSS * _WIDE + 20, -(-len(_PANELS) // _ACROSS) * _HIGH + 20
    places = [(20 + at % _ACROSS * _WIDE, 20 + at // _ACROSS * _HIGH) for at in range(len(_PANELS))]
    panels = "".join(
        f'<g transform="translate({x} {y})">{_panel(figure, systems)}</g>'
        for (x, y), figure in zip(places, _PANELS, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="13"><style>{_STYLE}</style><rect class="ground" width="{width}" height="{height}" rx="6"/>'
        f"{panels}</svg>\n"
    )


def _panel(figure: Figure, systems: Mapping[str, Results]) -> str:
    most = max(figure.of(system) for system in systems.values()) or 1.0
    unit = f", {figure.unit}" if figure.unit else ""
    better = "more is better" if figure.more else "less is better"
    title = f'<text y="12" font-weight="bold">{figure.title}{unit}</text><text class="small" y="27">{better}</text>'
    return title + "".join(_bar(at, name, figure.of(system), most) for at, (name, system) in enumerate(systems.items()))


def _bar(at: int, name: str, value: float, most: float) -> str:
    y, length = 36 + at * 24, max(value / most * 110, 1)
    return (
        f'<text class="small" x="72" y="{y + 12}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{"theirs" if at else "ours"}" x="78" y="{y}" width="{length:.1f}" height="17" rx="2"/>'
        f'<text class="small" x="{84 + length:.1f}" y="{y + 12}">{_number(value)}</text>'
    )
