"""Gold against predicted on an emotion wheel: bars outside the ring, and a ribbon inside it for each confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Wedge
from matplotlib.path import Path as Curve

from nano_emox.evaluation.charts import save, square
from nano_emox.evaluation.pictures import GREY, INK, printable
from nano_emox.metrics.lexicon import Lexicon

COLOURS = {
    "joy": "#e2ad3b", "happy": "#e2ad3b", "joyful": "#e2ad3b", "trust": "#8fae4a", "peaceful": "#8fae4a", "love": "#d4709a",
    "powerful": "#d4709a", "anticipation": "#d9793f", "bad": "#d9793f", "genius": "#d4709a",
    "anger": "#c0504d", "angry": "#c0504d", "mad": "#c0504d", "fear": "#4c8a5e", "scared": "#4c8a5e", "fearful": "#4c8a5e",
    "sadness": "#3b6fb6", "sad": "#3b6fb6", "disgust": "#7d5ba6", "disgusted": "#7d5ba6",
    "surprise": "#3a97a3", "surprised": "#3a97a3", "neutral": "#a9afb8",
}  # fmt: skip
INSIDE, RING, REACH = 60.0, 8.0, 38.0  # radii, of 100 or so: ring from 60 to 68, the longest bar beyond it


def emotion_wheel(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    lexicon: Lexicon,
    path: Path,
    *,
    wheel: str | None = None,
    note: str = "",
) -> Path:
    """Draw clips on a wheel: gold as wide pale bars, predicted as narrow strong ones, by area.

    A clip with several groups is shared equally among them; words outside the lexicon are nowhere on the wheel. A
    ribbon leads from a gold group to what was answered instead; it ends in a dot, and is as wide as there are clips.

    Args:
        gold: emotion words of each clip.
        predicted: answered words of each clip.
        lexicon: its level 1 is the ring, its level 2 the bars.
        path: of the picture.
        wheel: a name of `lexicon.wheels`; the first by default.
        note: small print.
    """
    column = lexicon.wheels.index(wheel or lexicon.wheels[0])
    blocks = _blocks(lexicon, column)
    order = [(inner, outer) for inner, outers in blocks.items() for outer in outers]
    step = 360 / len(order)
    angle_of = {outer: (index + 0.5) * step for index, (_, outer) in enumerate(order)}
    shares = [_shares(words, lexicon, column) for words in (gold, predicted)]
    largest = max(*shares[0].values(), *shares[1].values(), 1e-9, 1e-9)

    figure, axes = square(4.7, 4.7, 138)
    middles = {}
    for inner, outers in blocks.items():
        first, last = angle_of[outers[0]] - step / 2, angle_of[outers[-1]] + step / 2
        middles[inner] = (first + last) / 2
        _wedge(axes, first + 0.6, last - 0.6, INSIDE, RING, _colour(inner), 1.0)
        _name(axes, inner, middles[inner], last - first)
    for inner, outer in order:
        angle, colour, base = angle_of[outer], _colour(inner), INSIDE + RING + 1
        heights = [REACH * (share[outer] / largest) ** 0.5 for share in shares]
        _wedge(axes, angle - 0.42 * step, angle + 0.42 * step, base, heights[0], colour, 0.33)
        _wedge(axes, angle - 0.2 * step, angle + 0.2 * step, base, heights[1], colour, 1.0)
        x, y = _at(angle, base + max(heights) + 2.5)
        left = angle % 360 > 180
        axes.text(x, y, printable(outer), rotation=90 - angle + 180 * left, rotation_mode="anchor", fontsize=7, va="center",
                  ha="right" if left else "left", color=INK if max(heights) > 0 else "#b4bac3")  # fmt: skip
    _ribbons(axes, _confusions(gold, predicted, lexicon, column), middles)
    for index, (label, alpha) in enumerate((("gold", 0.33), ("predicted", 1.0))):
        axes.add_patch(Wedge((-132, -124 - 8 * index), 3, 0, 360, color=GREY, alpha=alpha, linewidth=0))
        axes.text(-126, -124 - 8 * index, label, fontsize=7.5, va="center", color=INK)
    return save(figure, path, note)


def _blocks(lexicon: Lexicon, column: int) -> dict[str, list[str]]:
    """Level 1 to its level-2 groups, each where most of its words are; in alphabetical order, neutral last."""
    votes: dict[str, Counter[str]] = {}
    for word, groups in lexicon.tables["level2"].items():
        inner, outer = lexicon.tables["level1"][word][column], groups[column]
        if inner and outer:
            votes.setdefault(outer, Counter())[inner] += 1
    blocks: dict[str, list[str]] = {}
    for outer in sorted(votes):
        inner = max(sorted(votes[outer]), key=lambda each: votes[outer][each])
        blocks.setdefault(inner, []).append(outer)
    return {inner: blocks[inner] for inner in sorted(blocks, key=lambda inner: (inner == "neutral", inner))}


def _shares(clips: Sequence[Sequence[str]], lexicon: Lexicon, column: int) -> dict[str, float]:
    totals: dict[str, float] = dict.fromkeys({g[column] or "" for g in lexicon.tables["level2"].values()} - {""}, 0.0)
    for words in clips:
        groups = lexicon.groups(words, "level2")[column]
        for group in groups:
            totals[group] += 1 / len(groups)
    return totals


def _confusions(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], lexicon: Lexicon, column: int
) -> Counter[tuple[str, str]]:
    """Count (gold group, predicted group) of clips whose two sides share no group."""
    counts: Counter[tuple[str, str]] = Counter()
    for right, given in zip(gold, predicted, strict=True):
        expected, said = lexicon.groups(right)[column], lexicon.groups(given)[column]
        if not expected & said:
            counts.update((left, other) for left in sorted(expected) for other in sorted(said))
    return counts


def _ribbons(axes: Axes, counts: Counter[tuple[str, str]], middles: Mapping[str, float]) -> None:
    most = max(counts.values(), default=1)
    for (gold, said), count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        start, end = _at(middles[gold] - 2, INSIDE - 1.5), _at(middles[said] + 2, INSIDE - 4)
        curve = Curve([start, (0.0, 0.0), end], [Curve.MOVETO, Curve.CURVE3, Curve.CURVE3])
        width = 0.8 + 5.0 * count / most
        axes.add_patch(PathPatch(curve, fill=False, edgecolor=_colour(gold), linewidth=width, alpha=0.55, capstyle="round"))
        axes.add_patch(Wedge(end, 1.4 + 1.2 * count / most, 0, 360, facecolor=_colour(gold), linewidth=0))


def _name(axes: Axes, name: str, angle: float, span: float) -> None:
    """Write a group's name along the ring, or outside of the bars' way, inside of it, where its arc is short."""
    if span >= 3.2 * len(name):
        turned = 90 < angle % 360 < 270
        x, y = _at(angle, INSIDE + RING / 2)
        axes.text(x, y, printable(name), rotation=-angle + 180 * turned, ha="center", va="center", fontsize=7.5, color="white",
                  fontweight="bold")  # fmt: skip
        return
    x, y = _at(angle, INSIDE - 3)
    left = angle % 360 > 180
    axes.text(x, y, printable(name), rotation=90 - angle + 180 * left, rotation_mode="anchor", ha="left" if left else "right",
              va="center", fontsize=6.5, color=_colour(name), fontweight="bold")  # fmt: skip


def _wedge(axes: Axes, first: float, last: float, base: float, height: float, colour: str, alpha: float) -> None:
    if height > 0:
        axes.add_patch(
            Wedge((0, 0), base + height, 90 - last, 90 - first, width=height, color=colour, alpha=alpha, linewidth=0)
        )


def _at(angle: float, radius: float) -> tuple[float, float]:
    """Clockwise from the top, in degrees."""
    return float(radius * np.sin(np.radians(angle))), float(radius * np.cos(np.radians(angle)))


def _colour(group: str) -> str:
    return COLOURS.get(group, GREY)
