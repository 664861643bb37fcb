"""Pictures of a run, one function each: data in, PNG out, its path back. No global state: pyplot is never imported.

`note` is printed small in the corner; a run on synthetic data says so there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from nano_emox.evaluation.tables import MODALITIES, PHASES, ROWS

INK, GREY, PALE, BLUE, RED, GREEN = "#2b2f36", "#8a919c", "#eef0f3", "#3b6fb6", "#c0504d", "#3f8f5b"
SERIES = ("#b9cbe4", "#7ea2d1", "#2f5f9e")
GATES = ("#4c78a8", "#e0a458", "#79a889", "#a47fb5", "#8a919c")


def training_curves(rows: Sequence[Mapping[str, Any]], path: Path, *, note: str = "") -> Path:
    """Draw training and validation loss over steps, with a band for each phase.

    Args:
        rows: mappings with `step`, `phase`, `train_loss` and `val_loss`; a loss that a row lacks is None or NaN.
        path: of the PNG.
        note: small print.
    """
    rows = sorted(rows, key=lambda row: row["step"])
    figure, axes = _figure(9.0, 4.2)
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    for position, phase in enumerate(phases):
        members = [row for row in rows if row["phase"] == phase]
        first, last = members[0]["step"], members[-1]["step"]
        axes.axvspan(first, last, color=PALE if position % 2 == 0 else "#fafbfc", zorder=0, linewidth=0)
        name = printable(PHASES.get(str(phase), str(phase)))
        axes.text((first + last) / 2, 1.02, name, transform=axes.get_xaxis_transform(), ha="center", color=GREY)
        # a line ends with its phase: the losses of two phases are of different data and do not continue each other
        steps, losses = _series(members, "train_loss")
        axes.plot(steps, losses, color=BLUE, alpha=0.25, linewidth=0.8)
        axes.plot(steps, _smooth(losses), color=BLUE, linewidth=1.8, label="" if position else "training (smoothed)")
        steps, losses = _series(members, "val_loss")
        label = "" if position else "validation"
        axes.plot(steps, losses, color=RED, linewidth=1.4, marker="o", markersize=3.5, label=label)
    axes.set(xlabel="step", ylabel="loss")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.legend(frameon=False, loc="upper right")
    return _save(figure, path, note)


def gate_weights(gates: Mapping[str, Sequence[float]], path: Path, *, experts: Sequence[str] = (), note: str = "") -> Path:
    """Draw the mean weight of each fusion expert for each emotion, as stacked bars.

    Args:
        gates: emotion to weights, (experts,), which add up to 1.
        path: of the PNG.
        experts: their names, such as the layers that they join.
        note: small print.
    """
    emotions = list(gates)
    weights = np.array([gates[emotion] for emotion in emotions], dtype=float)
    names = list(experts) or [f"expert {index + 1}" for index in range(weights.shape[1])]
    figure, axes = _figure(8.0, 1.2 + 0.42 * len(emotions))
    left = np.zeros(len(emotions))
    for index, name in enumerate(names):
        colour = GATES[index % len(GATES)]
        axes.barh(emotions, weights[:, index], left=left, color=colour, label=printable(name), height=0.68)
        for row, weight in enumerate(weights[:, index]):
            if weight >= 0.07:
                axes.text(left[row] + weight / 2, row, f"{100 * weight:.0f}", ha="center", va="center", color="white")
        left += weights[:, index]
    axes.set_yticks(range(len(emotions)), [printable(emotion) for emotion in emotions])
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, ncols=len(names), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    axes.set_xlabel("mean gate weight, per cent")
    return _save(figure, path, note)


def confusion_matrix(
    gold: Sequence[str],
    predicted: Sequence[str | None],
    path: Path,
    *,
    labels: Sequence[str] | None = None,
    note: str = "",
) -> Path:
    """Draw gold against predicted labels: shade is the share of the row, numbers are counts.

    Args:
        gold: label of each clip.
        predicted: answer for each clip; None, or a label outside `labels`, is counted in a column of its own.
        path: of the PNG.
        labels: order of rows and columns; those of `gold`, sorted, by default.
        note: small print.
    """
    rows = list(labels or sorted(set(gold)))
    outside = any(answer not in rows for answer in predicted)
    columns = [*rows, "(other)"] if outside else rows
    counts = np.zeros((len(rows), len(columns)), dtype=int)
    for right, answer in zip(gold, predicted, strict=True):
        counts[rows.index(right), rows.index(answer) if answer in rows else len(rows)] += 1
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, axes = _figure(2.2 + 0.62 * len(columns), 1.6 + 0.52 * len(rows))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*counts.shape):
        if counts[row, column]:
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), [printable(label) for label in columns], rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), [printable(label) for label in rows])
    axes.tick_params(length=0)
    axes.set(xlabel="answered", ylabel="gold")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return _save(figure, path, note)


def ablation_bars(
    ablation: Mapping[str, Mapping[str, float]],
    path: Path,
    *,
    key: str = "mer.hit_rate",
    chance: float | None = None,
    note: str = "",
) -> Path:
    """Draw one score by what the model was given; `all` stands out, the chance level is a line."""
    subsets = [subset for subset in ablation if key in ablation[subset]]
    scores = [100 * ablation[subset][key] for subset in subsets]
    figure, axes = _figure(7.2, 1.3 + 0.45 * len(subsets))
    colours = [BLUE if subset == "all" else SERIES[0] for subset in subsets]
    axes.barh(range(len(subsets)), scores, color=colours, height=0.66)
    for row, score in enumerate(scores):
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # the line of the chance level may pass behind
        axes.text(score + 1, row, f"{score:.1f}", va="center", color=INK, bbox=box)
    if chance is not None:
        axes.axvline(100 * chance, color=GREY, linewidth=1, linestyle=(0, (3, 3)))
        axes.text(100 * chance + 0.8, -0.62, f"chance {100 * chance:.0f}", color=GREY, va="bottom")
    axes.set_yticks(range(len(subsets)), [printable(MODALITIES.get(subset, subset)) for subset in subsets])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(f"{_title(key)}, per cent")
    return _save(figure, path, note)


def task_scores(scores: Mapping[str, Mapping[str, float]], chance: Mapping[str, float], path: Path, *, note: str = "") -> Path:
    """Draw each task's score after each phase, beside its chance level."""
    keys = [key for key, _, _ in ROWS if any(key in phase for phase in scores.values())]
    figure, axes = _figure(1.6 + 1.25 * len(keys), 4.2)
    width = 0.78 / max(len(scores), 1)
    for position, (phase, values) in enumerate(scores.items()):
        offset = (position - (len(scores) - 1) / 2) * width
        heights = [100 * values.get(key, 0.0) for key in keys]
        label = f"after {PHASES.get(phase, phase)}"
        colour = SERIES[max(0, position + len(SERIES) - len(scores)) % len(SERIES)]
        axes.bar(np.arange(len(keys)) + offset, heights, width * 0.92, color=colour, label=printable(label))
        if position == len(scores) - 1:
            for column, height in enumerate(heights):
                axes.text(column + offset, height + 1, f"{height:.0f}", ha="center", va="bottom", color=INK)
    levels = [(column, 100 * chance[key]) for column, key in enumerate(keys) if key in chance]
    for index, (column, level) in enumerate(levels):
        label = "" if index else "chance"
        axes.hlines(level, column - 0.43, column + 0.43, color=RED, linewidth=1.4, label=label)
    axes.set_xticks(range(len(keys)), [_title(key).replace(" ", "\n", 1) for key in keys])
    axes.set_ylim(0, 112)
    axes.set_yticks(range(0, 101, 20))
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("per cent")
    axes.legend(frameon=False, ncols=len(scores) + 1, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return _save(figure, path, note)


def printable(text: str) -> str:
    """Make a text safe to draw: no mathematics, and a dot for each character that the font has no glyph for."""
    glyphs = _glyphs()
    visible = "".join(char if char.isspace() or ord(char) in glyphs else "·" for char in text)
    return visible.replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _title(key: str) -> str:
    return next((f"{task} {name}" for row, task, name in ROWS if row == key), key)


def _series(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    points = [(row["step"], row[name]) for row in rows if row.get(name) is not None and row[name] == row[name]]
    steps, values = np.array(points, dtype=float).reshape(-1, 2).T
    return steps, values


def _smooth(values: np.ndarray, weight: float = 0.9) -> np.ndarray:
    """Exponential mean with the bias of its start corrected."""
    smooth, total, norm = np.empty_like(values), 0.0, 0.0
    for index, value in enumerate(values):
        total = weight * total + (1 - weight) * value
        norm = weight * norm + (1 - weight)
        smooth[index] = total / norm
    return smooth


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=140, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c9ced6")
    axes.tick_params(colors=INK, labelsize=9)
    axes.xaxis.label.set_color(GREY)
    axes.yaxis.label.set_color(GREY)
    return figure, axes


def _save(figure: Figure, path: Path, note: str) -> Path:
    if note:
        figure.supxlabel(printable(note), x=0.995, ha="right", fontsize=7, color=GREY)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
