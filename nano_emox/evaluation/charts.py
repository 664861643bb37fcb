"""The radar of the tasks: a run's scores with intervals, beside the published ones where these can stand beside them.

The suffix of the path decides the format; the report takes SVG. As in pictures.py, no global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from nano_emox.evaluation.pictures import BLUE, GREY, INK, RED, printable

RINGS, RIM = (20, 40, 60, 80, 100), "#dfe3e8"


@dataclass(frozen=True, slots=True)
class Spoke:
    """One axis of the radar, in per cent. `published` is None where nothing published can stand beside it."""

    name: str
    ours: float
    low: float
    high: float
    published: float | None = None


def radar(spokes: Sequence[Spoke], path: Path, *, note: str = "") -> Path:
    """Draw our scores as a filled shape with intervals, published ones dashed with hollow marks.

    Raises:
        ValueError: fewer than three spokes make no shape.
    """
    if len(spokes) < 3:
        raise ValueError(f"a radar needs at least three spokes, got {[spoke.name for spoke in spokes]}")
    figure, axes = square(5.6, 4.6, 150)
    angles = 2 * np.pi * np.arange(len(spokes)) / len(spokes)
    for ring in RINGS:
        axes.plot(*_loop(angles, [ring] * len(spokes)), color=RIM, linewidth=0.8, zorder=1)
        if ring < RINGS[-1]:
            axes.text(2, ring, str(ring), fontsize=7, color=GREY, va="bottom", zorder=2)
    for angle, spoke in zip(angles, spokes, strict=True):
        axes.plot(*_at([angle, angle], [0, 100]), color=RIM, linewidth=0.8, zorder=1)
        axes.plot(*_at([angle, angle], [spoke.low, spoke.high]), color=BLUE, linewidth=6, alpha=0.3, solid_capstyle="round")
        side = "center" if abs(np.sin(angle)) < 0.1 else "left" if np.sin(angle) > 0 else "right"
        x, y = _at(angle, 112 if side == "center" else 106)
        axes.text(float(x), float(y), printable(spoke.name), ha=side, va="center", fontsize=10, color=INK, linespacing=1.3)
    ours = [spoke.ours for spoke in spokes]
    axes.fill(*_at(angles, ours), color=BLUE, alpha=0.13, zorder=2, linewidth=0)
    axes.plot(*_loop(angles, ours), color=BLUE, linewidth=2, marker="o", markersize=5, label="this model", zorder=4)
    known = [(angle, spoke.published) for angle, spoke in zip(angles, spokes, strict=True) if spoke.published is not None]
    if known:
        where, values = map(list, zip(*known, strict=True))
        line = _loop(where, values) if len(known) == len(spokes) else _at(where, values)
        axes.plot(*line, color=RED, linewidth=1.3, linestyle=(0, (4, 3)), marker="o", markersize=6,
                  markerfacecolor="white", label="published: Nano-EmoX", zorder=3)  # fmt: skip
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 0.05), ncols=2, fontsize=9)
    return save(figure, path, note)


def square(width: float, height: float, half: float) -> tuple[Figure, Axes]:
    """A figure with bare axes of equal scales, from -half to half."""
    figure = Figure(figsize=(width, height), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set(xlim=(-half, half), ylim=(-half, half))
    return figure, axes


def save(figure: Figure, path: Path, note: str) -> Path:
    """Write the picture with its small print; an SVG has no date in it, so equal data is an equal file."""
    if note:
        figure.text(0.99, 0.01, printable(note), ha="right", fontsize=7, color=GREY)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def _at(angle: object, radius: object) -> tuple[np.ndarray, np.ndarray]:
    """Clockwise from the top."""
    turn, far = np.asarray(angle, dtype=float), np.asarray(radius, dtype=float)
    return far * np.sin(turn), far * np.cos(turn)


def _loop(angles: object, radii: object) -> tuple[np.ndarray, np.ndarray]:
    x, y = _at(angles, radii)
    return np.append(x, x[0]), np.append(y, y[0])
