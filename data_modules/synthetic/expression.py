"""The moving parts of a face: brows, eyes, nose, mouth, and the folds that come with them.

Each attribute of `latents.FACE_ATTRIBUTES` moves at least one large shape, so that it can be read at 64 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_modules.synthetic.drawing import Color, Pen, closed, ellipse, mix, opened, xy
from data_modules.synthetic.latents import Array
from data_modules.synthetic.looks import Look

WHITE: Color = (246, 244, 240)
TEETH: Color = (250, 248, 240)
INSIDE: Color = (70, 22, 28)
TONGUE: Color = (196, 92, 96)
INK: Color = (34, 24, 24)
_RAMP = np.linspace(-1, 1, 21)[:, None]


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant of a face: attributes (8,), how far a blink has closed the eyes, how far speech opens the mouth."""

    attributes: Array
    blink: float = 0.0
    speech: float = 0.0
    gaze: float = 0.0


def draw_expression(pen: Pen, look: Look, moment: Moment) -> None:
    """Draws all moving parts on a head that is already there."""
    folds(pen, look, moment)
    nose(pen, look, moment)
    mouth(pen, look, moment)
    for side in (-1.0, 1.0):
        eye(pen, look, moment, side)
        brow(pen, look, moment, side)


def shade(look: Look, share: float) -> Color:
    """The skin in shadow."""
    return mix(look.skin, (96, 38, 28), share)


def folds(pen: Pen, look: Look, moment: Moment) -> None:
    """Nasolabial folds, raised cheeks, lines of the forehead."""
    inner, outer, lower, eyes, curve, _, press, wrinkle = moment.attributes.tolist()
    crease = 0.20 + 0.12 * look.age + 0.35 * max(curve, 0.0) + 0.40 * max(wrinkle, 0.0)
    for side in (-1.0, 1.0):
        fold = opened(xy((side * 0.21, 0.24), (side * 0.34, 0.36), (side * (0.40 + 0.06 * curve), 0.53)))
        pen.line(fold, shade(look, min(0.55, crease * 0.8)), 0.014 + 0.014 * max(curve, wrinkle, 0.0), 0.12)
        if curve > 0.1:  # cheeks lift
            cheek = ellipse(side * 0.55, 0.20, 0.20, 0.11 + 0.04 * curve)
            pen.fill(cheek, mix(look.skin, (232, 112, 104), 0.16 + 0.16 * curve), 0.08)
        if eyes < -0.2 and curve > 0.2:  # smiling eyes
            pen.line(opened(xy((side * 0.66, -0.10), (side * 0.74, -0.06), (side * 0.78, 0.0))), shade(look, 0.3), 0.012)
    lifted = max(inner, 0.0) * 0.5 + max(outer, 0.0) * 0.5
    if lifted > 0.25:
        for y in (-0.60, -0.52):
            line = opened(xy((-0.42, y + 0.03), (0.0, y - 0.03 * inner), (0.42, y + 0.03)))
            pen.line(line, shade(look, 0.16 + 0.26 * lifted), 0.016)
    if lower > 0.2:
        for side in (-1.0, 1.0):
            pen.line(xy((side * 0.07, -0.42), (side * 0.05, -0.25)), shade(look, 0.25 + 0.35 * lower), 0.024, 0.1)
    if press > 0.25:
        for side in (-1.0, 1.0):  # a tense chin
            pen.line(opened(xy((side * 0.06, 0.80), (side * 0.14, 0.76), (side * 0.2, 0.79))), shade(look, 0.3), 0.016)


def nose(pen: Pen, look: Look, moment: Moment) -> None:
    """Bridge, wings and nostrils; wrinkling lifts and widens it and creases the bridge."""
    wrinkle = float(moment.attributes[7])
    up, wide = 0.07 * max(wrinkle, 0.0), look.nose * (1 + 0.32 * max(wrinkle, 0.0))
    pen.line(opened(xy((-0.05, -0.12), (-0.09, 0.06), (-0.13 * wide, 0.22 - up))), shade(look, 0.20), 0.022, 0.18)
    pen.fill(ellipse(0.0, 0.22 - up, 0.15 * wide, 0.075), shade(look, 0.12), 0.2)
    pen.fill(ellipse(0.02, 0.19 - up, 0.07, 0.05), mix(look.skin, (255, 240, 225), 0.25), 0.22)
    for side in (-1.0, 1.0):
        pen.fill(ellipse(side * 0.09 * wide, 0.26 - up, 0.042, 0.024), shade(look, 0.62), 0.2)
        wing = opened(xy((side * 0.13 * wide, 0.17 - up), (side * 0.185 * wide, 0.23 - up), (side * 0.13 * wide, 0.285 - up)))
        pen.line(wing, shade(look, 0.35), 0.020, 0.2)
        if wrinkle > 0.15:
            for i in range(3):
                line = xy((side * 0.02, -0.10 + 0.085 * i), (side * 0.15, -0.15 + 0.085 * i))
                pen.line(line, shade(look, 0.20 + 0.42 * wrinkle), 0.020, 0.15)


def mouth(pen: Pen, look: Look, moment: Moment) -> None:
    """Lips, teeth, the dark inside and the tongue."""
    _, _, _, _, curve, opening, press, wrinkle = moment.attributes.tolist()
    tight, smile, lift = max(press, 0.0), max(curve, 0.0), 0.08 * max(wrinkle, 0.0)
    gap = 0.36 * max(opening, 0.0) + 0.10 * moment.speech * (1 - 0.8 * tight) * (1 - max(opening, 0.0))
    round_ = max(opening, 0.0) * (1 - smile)
    half = look.mouth * (1 + 0.42 * smile - 0.10 * tight - 0.34 * round_ - 0.06 * max(-curve, 0.0) + 0.1 * max(wrinkle, 0))
    y, corner = 0.52 - 0.02 * smile, -0.17 * curve if curve > 0 else -0.13 * curve
    middle = 0.02 * smile - 0.07 * max(-curve, 0.0) - lift
    thin = 1 - 0.72 * tight - 0.28 * smile
    upper, lower = 0.050 * thin, (0.080 + 0.03 * max(-curve, 0.0)) * thin
    top, bottom = y + middle - 0.28 * gap, y + middle + lift * 0.6 + 0.72 * gap
    left, right = (-half, y + corner), (half, y + corner)
    inner_top = opened(
        xy(left, (-half * 0.5, (top * 2.2 + y + corner) / 3.2), (0, top), (half * 0.5, (top * 2.2 + y + corner) / 3.2), right)
    )
    inner_low = opened(
        xy(
            right,
            (half * 0.52, (bottom * 2.4 + y + corner) / 3.4),
            (0, bottom),
            (-half * 0.52, (bottom * 2.4 + y + corner) / 3.4),
            left,
        )
    )
    grow = np.sin(np.linspace(0, np.pi, len(inner_top)))[:, None]
    bow = 1 - 0.35 * np.exp(-((np.linspace(-1, 1, len(inner_top))[:, None]) ** 2) * 30)
    outer_top = inner_top - np.array([0, upper]) * grow * bow - np.array([0, 0.012])
    outer_low = inner_low + np.array([0, lower]) * grow + np.array([0, 0.012])
    pen.fill(np.concatenate([outer_top, outer_low]), look.lip, 0.14)
    if bottom - top > 0.035:
        inside = np.concatenate([inner_top, inner_low])
        pen.fill(inside, INSIDE, 0.14)
        if gap > 0.17:
            pen.fill(ellipse(0, bottom - 0.045, half * 0.5, min(0.075, gap * 0.25)), TONGUE, 0.14)
        show = min(0.085, (bottom - top) * (0.62 if smile > 0.2 or lift > 0.03 else 0.30))
        rim = inner_top[1:-1]
        edge = np.minimum(rim + np.array([0, show]), inner_low[::-1][1:-1])
        pen.fill(np.concatenate([rim, edge[::-1]]), TEETH, 0.14)
    else:
        pen.line(inner_top, mix(look.lip, INK, 0.55 + 0.2 * tight), 0.022 + 0.012 * tight, 0.14)
    if tight > 0.3:
        for side in (-1.0, 1.0):
            mark = xy((side * (half + 0.03), y + corner - 0.035), (side * (half + 0.045), y + corner + 0.035))
            pen.line(mark, shade(look, 0.42), 0.024, 0.12)
    pen.line(
        opened(xy((-0.14, bottom + lower + 0.06), (0, bottom + lower + 0.075), (0.14, bottom + lower + 0.06))),
        shade(look, 0.2),
        0.02,
        0.12,
    )


def eye(pen: Pen, look: Look, moment: Moment, side: float) -> None:
    """White, iris, pupil, highlight; the lids cover them as far as the eye is closed."""
    wide = float(moment.attributes[3])
    smile = max(float(moment.attributes[4]), 0.0)
    half, x, y = 0.205 * look.eye, side * look.apart, -0.115
    height = look.eye * (0.086 + (0.105 * wide if wide > 0 else 0.062 * wide)) * (1 - moment.blink)
    height = max(height, 0.006)
    up, low = height * 1.12, height * (0.86 - 0.35 * smile)
    slant = -0.012 * side
    outer = np.array([[-1.0, 0], [-0.55, -0.82], [0.0, -1.0], [0.55, -0.82], [1.0, 0]])
    centre = np.array([x, y])
    above = opened(outer * (half, up)) + centre + _RAMP * (0, slant)
    below = opened(outer * (half, -low)) + centre + _RAMP * (0, slant)
    pen.fill(np.concatenate([above, below[::-1]]), WHITE, 0.1)
    radius, look_x = 0.098 * look.eye, x + 0.05 * moment.gaze
    squash = pen.width / pen.height  # circles stay circles on a head that is taller than wide
    if height > 0.012:
        pen.fill(ellipse(look_x, y, radius, radius * squash), mix(look.iris, INK, 0.35), 0.12)
        pen.fill(ellipse(look_x, y, radius * 0.82, radius * 0.82 * squash), look.iris, 0.12)
        pen.fill(ellipse(look_x, y, radius * 0.48, radius * 0.48 * squash), (14, 12, 14), 0.12)
        pen.fill(ellipse(look_x - 0.035, y - 0.03, 0.028, 0.028 * squash), (255, 255, 255), 0.12)
    lid, under = shade(look, 0.16), shade(look, 0.07)
    hood = above[::-1] * (1.0, 0.0) + (0, y - max(0.15, up + 0.02))
    pen.fill(np.concatenate([above, hood]), look.skin, 0.1)
    crease = opened(outer * (half * 1.04, up + 0.035)) + centre
    pen.fill(np.concatenate([above, crease[::-1]]), lid, 0.1)
    bag = below[::-1] * (1.0, 0.0) + (0, y + max(0.13, low + 0.02))
    pen.fill(np.concatenate([below, bag]), under if wide > -0.3 else shade(look, 0.12), 0.1)
    pen.line(above, mix(INK, look.skin, 0.12), 0.020 + 0.014 * look.lashes, 0.1)
    pen.line(below, shade(look, 0.42), 0.012, 0.1)
    if look.lashes > 0.6:
        tip = above[-1] if side > 0 else above[0]
        pen.line(np.stack([tip, tip + np.array([side * 0.06, -0.045])]), INK, 0.020, 0.1)


def brow(pen: Pen, look: Look, moment: Moment, side: float) -> None:
    """A thick tapered stroke; inner and outer ends rise apart, `brow_lower` pulls all down and together."""
    inner, outer, lower = moment.attributes[:3].tolist()
    drop = 0.085 * lower
    inside = (side * (0.165 - 0.045 * max(lower, 0.0)), -0.325 - 0.125 * inner + drop + 0.055 * max(lower, 0.0))
    top = (side * 0.44, -0.385 - 0.055 * inner - 0.075 * outer + drop)
    end = (side * 0.70, -0.315 - 0.125 * outer + drop * 0.5)
    spine = opened(xy(inside, ((inside[0] + top[0]) / 2, (inside[1] + top[1]) / 2 - 0.012), top, end))
    thick = 0.042 * look.brow * np.linspace(1.0, 0.35, len(spine))[:, None] * np.array([0, 1])
    pen.fill(closed(np.concatenate([spine - thick, (spine + thick)[::-1]])[::2]), mix(look.hair, INK, 0.35), 0.1)
