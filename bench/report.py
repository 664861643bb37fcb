"""What a run leaves: a table, `latest.json`, pictures, and on request docs/performance.md's measured part."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
from rich.table import Table

from bench.machine import Utilisation
from bench.scaling import Curve
from bench.timing import Ratio
from data_modules.durable import write_atomically

matplotlib.use("Agg")
from matplotlib import pyplot, ticker

PART_OF = {"metric": "wheels"}  # of a ratio by its first word, where it is not that word itself
BEGIN, END = "<!-- measured: written by `make bench` -->", "<!-- /measured -->"
WANTED = {  # the goals for these ratios at the quarter preset
    "train.phase1_speech": 6.0, "train.phase1_visual": 6.0, "train.phase2": 6.0, "train.phase3": 3.5,
    "evaluate.closed_label": 10.0, "epoch.tiny": 10.0, "memory.train_step": 2.0,
}  # fmt: skip


@dataclass
class Results:
    """Everything that one run measured."""

    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    ratios: list[Ratio] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    utilisation: list[Utilisation] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """`ratios` and `ranges` by name; costs are in `measured`, with their units."""
        return {
            "ratios": {r.name: round(r.ratio, 3) for r in self.ratios},
            "ranges": {r.name: [round(r.low, 3), round(r.high, 3)] for r in self.ratios},
            "measured": {
                r.name: {"reference": r.reference, "ours": r.ours, "unit": r.unit, "note": r.note} for r in self.ratios
            },
            "curves": {c.name: {**asdict(c), "exponent": c.exponent} for c in self.curves},
            "utilisation": {u.phase: asdict(u) for u in self.utilisation},
            **self.extra,
            "remarks": self.remarks,
            "machine": dict(self.machine),
            "settings": dict(self.settings),
        }


def part_of(name: str) -> str:
    """The part of a run that measures a ratio."""
    group = name.split(".")[0]
    return PART_OF.get(group, group)


def earlier_ratios(results: Results, directory: Path) -> list[Ratio]:
    """What the last `latest.json` has of parts that this run does not measure: same preset and device, same machine.

    Each says when it was measured. Both paths of a ratio still took turns in one run.
    """
    file = directory / "latest.json"
    if not file.is_file():
        return []
    before = json.loads(file.read_text(encoding="utf-8"))
    lately = ("load",)  # not a property of the machine
    if any(before["settings"].get(key) != results.settings[key] for key in ("preset", "device")) or any(
        before["machine"].get(key) != value for key, value in results.machine.items() if key not in lately
    ):
        return []
    kept = []
    for name, cost in before["measured"].items():
        if part_of(name) not in results.settings["parts"]:
            low, high = before["ranges"][name]
            when = f"measured {before['settings']['when']}"
            note = cost["note"] if "measured 20" in cost["note"] else f"{cost['note']}; {when}".removeprefix("; ")
            kept.append(Ratio(name, before["ratios"][name], low, high, cost["reference"], cost["ours"], cost["unit"], note))
    return kept


def write(results: Results, directory: Path, docs: Path | None = None) -> list[Path]:
    """Write `latest.json` and the pictures; with `docs`, also the measured part of that page, with its pictures beside it."""
    written = [write_atomically(directory / "latest.json", json.dumps(results.as_json(), indent=2) + "\n")]
    if results.ratios:
        written.append(draw_ratios(results, directory / "ratios.png"))
    if results.curves:
        written.append(draw_curves(results.curves, directory / "scaling.png"))
    if docs is not None:
        written += _write_docs(results, docs, [path for path in written if path.suffix == ".png"])
    return written


def table(results: Results) -> Table:
    """The ratios, for a terminal."""
    title = "reference over ours; medians, and the range over rounds"
    shown = Table("what", "ratio", "range", "reference", "ours", "", title=title, title_justify="left")
    for r in results.ratios:
        shown.add_row(
            r.name, f"[bold]{r.ratio:.1f}x[/]", f"{r.low:.1f} to {r.high:.1f}", _cost(r.reference, r), _cost(r.ours, r), r.note
        )
    return shown


def draw_ratios(results: Results, path: Path) -> Path:
    """Bars on a logarithmic axis with their ranges, and a mark where the goal lies."""
    ratios = results.ratios[::-1]
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(ratios) + 1.4), layout="constrained")
    values = [r.ratio for r in ratios]
    spread = [[max(r.ratio - r.low, 0) for r in ratios], [max(r.high - r.ratio, 0) for r in ratios]]
    axes.barh(range(len(ratios)), values, xerr=spread, color="#4c78a8", error_kw={"ecolor": "#222222", "capsize": 3})
    for place, r in enumerate(ratios):
        axes.text(max(r.high, r.ratio) * 1.06, place, f"{r.ratio:.1f}x", va="center", fontsize=9)
        if r.name in WANTED and (results.settings["preset"] == "quarter" or r.name.startswith("epoch")):
            axes.plot([WANTED[r.name]] * 2, [place - 0.4, place + 0.4], color="#e45756", linewidth=2)
    axes.axvline(1, color="#222222", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks(ticks := [1, 2, 5, 10, 20, 50, 100, 1000, 10_000], [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlim(min(0.8, *values), max(max(r.high for r in ratios) * 4, 12))
    axes.set_ylim(-0.7, len(ratios) - 0.3)
    axes.set_yticks(range(len(ratios)), [r.name for r in ratios])
    axes.set_xlabel("the released code's cost over ours (log; red: what is wanted)")
    axes.set_title(f"preset {results.settings['preset']} on {results.machine['gpu'] or results.machine['cpu']}", fontsize=10)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return path


def draw_curves(curves: Sequence[Curve], path: Path) -> Path:
    """One panel a curve, both axes logarithmic, with the line of linear growth from the first point."""
    columns = min(3, len(curves))
    rows = -(-len(curves) // columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(4 * columns, 3.1 * rows), layout="constrained", squeeze=False)
    for axes, curve in zip(grid.flat, curves, strict=False):
        works, values = zip(*curve.points, strict=True)
        axes.plot(works, values, "o-", color="#4c78a8", label="measured")
        if curve.cost:
            axes.plot(works, [values[0] * w / works[0] for w in works], ":", color="#888888", label="linear")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
            axes.set_title(f"{curve.name}: ~ work^{curve.exponent:.2f}", fontsize=10)
            axes.legend(fontsize=8, frameon=False)
        else:
            axes.set_ylim(0, max(values) * 1.2)
            axes.set_title(curve.name, fontsize=10)
        axes.set_xticks(works, [f"{w:g}" for w in works])
        axes.minorticks_off()
        axes.set_xlabel(curve.work, fontsize=9)
        axes.set_ylabel(curve.value, fontsize=9)
        axes.tick_params(labelsize=8)
    for axes in list(grid.flat)[len(curves) :]:
        axes.set_visible(False)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return path


def markdown(results: Results) -> str:
    """The measured part of docs/performance.md."""
    machine, settings = results.machine, results.settings
    lines = [
        f"Preset `{settings['preset']}`, {settings['rounds']} rounds, {settings['when']}, on {machine['gpu'] or machine['cpu']}"
        f" ({machine['threads']} threads, load {machine['load']:.1f} at the start), torch {machine['torch']}.",
        "",
        "| what | ratio | range | of |",
        "|---|---|---|---|",
        *(f"| `{r.name}` | **{r.ratio:.1f}** | {r.low:.1f} to {r.high:.1f} | {r.note} |" for r in results.ratios),
    ]
    if results.curves:
        lines += ["", "| cost as work grows | growth | points |", "|---|---|---|"]
        for curve in results.curves:
            growth = (
                f"work^{curve.exponent:.2f}, at most ^{curve.steepest:.2f} from one to the next" if curve.cost else curve.value
            )
            lines.append(f"| {curve.name} | {growth} | {'; '.join(f'{w:g}: {v:.3g}' for w, v in curve.points)} |")
    if results.utilisation and machine["gpu"]:
        lines += ["", "| step | rows | seconds | tokens/s | MFU | peak |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {u.phase} | {u.rows} | {u.seconds:.3f} | {u.tokens_per_second:,.0f} | {u.mfu:.0%} | {u.peak / 1e9:.1f} GB |"
            for u in results.utilisation
        ]
    return "\n".join(lines)


def _write_docs(results: Results, page: Path, pictures: Sequence[Path]) -> list[Path]:
    text = page.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise ValueError(f"{page} has no {BEGIN} ... {END}: put both lines where the table belongs")
    copies = [write_atomically(page.parent / "pictures" / f"bench_{path.name}", path.read_bytes()) for path in pictures]
    shown = "\n".join(f"![{copy.stem}](pictures/{copy.name})" for copy in copies)
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    write_atomically(page, f"{before}{BEGIN}\n\n{markdown(results)}\n\n{shown}\n\n{END}{after}")
    return [page, *copies]


def _cost(value: float, r: Ratio) -> str:
    if r.unit != "s":
        return f"{value:,.0f} {r.unit}"
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"
