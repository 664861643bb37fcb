"""A contact sheet: frames of clips with what the model answered, so that a run is looked at and not only scored."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nano_emox.evaluation.pictures import GREEN, GREY, INK, RED, printable


@dataclass(frozen=True, slots=True)
class Cell:
    """One clip of the sheet."""

    frame: npt.NDArray[np.uint8]  # (height, width, 3) RGB
    answer: str
    gold: str
    correct: bool | None = None  # None: nothing to compare with
    caption: str = ""  # task or clip, in small print


def contact_sheet(cells: Sequence[Cell], path: Path, *, columns: int = 6, note: str = "") -> Path:
    """Draw the cells row by row; a green frame is right, a red one wrong.

    Raises:
        ValueError: there is no cell, or a frame is no uint8 image of shape (height, width, 3).
    """
    if not cells:
        raise ValueError("a contact sheet needs at least one cell")
    for cell in cells:
        if cell.frame.dtype != np.uint8 or cell.frame.ndim != 3 or cell.frame.shape[2] != 3:
            raise ValueError(f"{cell.caption}: frame is {cell.frame.dtype} {cell.frame.shape}, not uint8 (H, W, 3)")
    columns = min(columns, len(cells))
    rows = math.ceil(len(cells) / columns)
    figure = Figure(figsize=(1.9 * columns, 2.6 * rows + 0.1), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.985, bottom=0.02, wspace=0.06, hspace=0.02)
    for axes, cell in zip(grid.flat, cells, strict=False):
        colour = GREY if cell.correct is None else GREEN if cell.correct else RED
        axes.imshow(cell.frame)
        for spine in axes.spines.values():
            spine.set(color=colour, linewidth=2.5)
        axes.set_anchor("N")
        lines = [
            *_wrap(cell.answer, 3),
            *([f"gold: {line}" for line in _wrap(cell.gold, 1)] if not cell.correct else []),
        ]
        if cell.caption:
            plate = {"facecolor": INK, "alpha": 0.55, "linewidth": 0, "pad": 1.5}
            caption = axes.text(0.03, 0.97, printable(cell.caption), fontsize=6, color="white", va="top", bbox=plate)
            caption.set_transform(axes.transAxes)
        for index, line in enumerate(lines):
            shade = GREY if line.startswith("gold: ") and index == len(lines) - 1 else colour
            axes.annotate(printable(line), (0, 0), xytext=(1, -5 - 9.5 * index), xycoords="axes fraction",
                          textcoords="offset points", va="top", fontsize=7.5, color=shade)  # fmt: skip
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
    for axes in grid.flat[len(cells) :]:
        axes.set_visible(False)
    if note:
        figure.text(0.99, 0.004, printable(note), ha="right", va="bottom", fontsize=6.5, color=GREY)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _wrap(text: str, lines: int) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), width=25, max_lines=lines, placeholder=" …") or ["(no answer)"]
