"""Smooth shapes on a Pillow canvas, placed in the coordinates of a head.

Head coordinates: x = -1 and 1 are the sides of the head, y = -1 its crown and y = 1 the chin. Canvas coordinates:
x, y in [0, 1]. Features that stand out of the head (`depth`) slide when the head turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw

Points = NDArray[np.float64]
Color = tuple[int, int, int]

STEPS = 5  # straight pieces per span of a curve
_T = np.arange(STEPS) / STEPS
_CATMULL_ROM = (
    np.stack([-_T + 2 * _T**2 - _T**3, 2 - 5 * _T**2 + 3 * _T**3, _T + 4 * _T**2 - 3 * _T**3, -(_T**2) + _T**3], 1) / 2
)
_ANGLES = np.linspace(0, 2 * np.pi, 20, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1)


def mix(a: Color, b: Color, share: float) -> Color:
    """`share` of colour b in colour a."""
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def closed(points: Points) -> Points:
    """The closed Catmull-Rom curve through (n, 2) points, (n * STEPS, 2)."""
    n = len(points)
    index = (np.arange(n)[:, None] + np.array([-1, 0, 1, 2])) % n
    return np.einsum("sk,nkd->nsd", _CATMULL_ROM, points[index]).reshape(-1, 2)


def opened(points: Points) -> Points:
    """The open Catmull-Rom curve from the first to the last of (n, 2) points, ((n - 1) * STEPS + 1, 2)."""
    n = len(points)
    index = np.clip(np.arange(n - 1)[:, None] + np.array([-1, 0, 1, 2]), 0, n - 1)
    return np.concatenate([np.einsum("sk,nkd->nsd", _CATMULL_ROM, points[index]).reshape(-1, 2), points[-1:]])


def ellipse(x: float, y: float, rx: float, ry: float) -> Points:
    """An ellipse as points."""
    return _CIRCLE * (rx, ry) + (x, y)


def xy(*pairs: tuple[float, float]) -> Points:
    """Points from pairs."""
    return np.array(pairs, np.float64)


@dataclass(slots=True)
class Pen:
    """Draws in head coordinates: `width`, `height` are half the head's size, `x`, `y` its centre, on the canvas."""

    draw: ImageDraw.ImageDraw
    size: int
    x: float
    y: float
    width: float
    height: float
    tilt: float = 0.0
    yaw: float = 0.0
    matrix: Points = field(init=False)
    origin: Points = field(init=False)

    def __post_init__(self) -> None:
        cos, sin = math.cos(self.tilt) * self.size, math.sin(self.tilt) * self.size
        self.matrix = np.array([[cos * self.width, sin * self.width], [-sin * self.height, cos * self.height]])
        self.origin = np.array([self.x * self.size, self.y * self.size])

    def place(self, points: Points, depth: float = 0.0) -> Points:
        """Head coordinates (n, 2) to pixels (n, 2)."""
        return points @ self.matrix + (self.origin + self.matrix[0] * (self.yaw * depth))

    def fill(self, points: Points, color: Color, depth: float = 0.0) -> None:
        """A filled polygon."""
        self.draw.polygon(self.place(points, depth).ravel().tolist(), fill=color)

    def line(self, points: Points, color: Color, thick: float, depth: float = 0.0) -> None:
        """A line of a thickness given in head heights."""
        self.draw.line(
            self.place(points, depth).ravel().tolist(),
            fill=color,
            width=max(1, round(thick * self.height * self.size)),
            joint="curve",
        )

    def on_canvas(self, points: Points, color: Color) -> None:
        """A filled polygon in canvas coordinates: body and background do not follow the head."""
        self.draw.polygon((points * self.size).ravel().tolist(), fill=color)
