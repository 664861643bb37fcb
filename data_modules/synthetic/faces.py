"""Draws a person: room, body, head, hair, expression, light; one frame or a clip of frames.

A frame is drawn `supersample` times larger and reduced. Everything that a clip does not change is drawn once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from data_modules.synthetic.drawing import Pen, closed, ellipse, mix, opened, xy
from data_modules.synthetic.expression import INK, Moment, draw_expression, shade
from data_modules.synthetic.latents import Array, Latent, Person, generator
from data_modules.synthetic.looks import BALD, BOB, BUN, CURLY, FRINGE, LONG, PARTED, SHORT, Look, look_of, room

Frames = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is: offsets of the canvas, tilt in radians, yaw in [-1, 1]."""

    x: float = 0.0
    y: float = 0.0
    tilt: float = 0.0
    yaw: float = 0.0


@dataclass(slots=True)
class Portrait:
    """Draws one person in one room. `size` is the side of a frame in pixels."""

    person: Person
    rng: np.random.Generator
    size: int = 128
    supersample: int = 2
    look: Look = field(init=False)
    backdrop: Image.Image = field(init=False)
    gain: float = field(init=False)
    side: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self.look = look_of(self.person)
        self.backdrop = room(self.rng, self.size * self.supersample)
        self.gain = float(self.rng.uniform(0.94, 1.06))
        slope = self.rng.uniform(-0.14, 0.14)  # a lamp to the left or to the right
        self.side = np.linspace(1 - slope, 1 + slope, self.size, dtype=np.float32)[None, :, None]

    def frame(self, moment: Moment, scene: Array, pose: Pose = Pose()) -> Frames:
        """One frame, (size, size, 3) RGB."""
        lean, shoulders, arms, warmth, level = scene.tolist()
        canvas = self.backdrop.copy()
        scale = 1 + 0.10 * lean
        pen = Pen(
            ImageDraw.Draw(canvas),
            canvas.width,
            0.5 + pose.x,
            0.485 + pose.y + 0.035 * lean,
            self.look.width * scale,
            0.385 * scale,
            pose.tilt,
            pose.yaw,
        )
        hair_behind(pen, self.look)
        body(pen, self.look, shoulders, arms)
        head(pen, self.look)
        draw_expression(pen, self.look, moment)
        if self.look.glasses:
            glasses(pen, self.look)
        hair_in_front(pen, self.look)
        if arms > 0.12:
            hands(pen, self.look, arms)
        small = np.asarray(canvas.reduce(self.supersample), np.float32)
        gain = self.gain * (1 + 0.42 * level if level < 0 else 1 + 0.16 * level)
        tint = np.array([1 + 0.16 * warmth, 1 + 0.015 * warmth, 1 - 0.16 * warmth], np.float32) * gain
        return np.clip(small * (self.side * tint), 0, 255).astype(np.uint8)


def head(pen: Pen, look: Look) -> None:
    """Ears, skull and jaw, cheeks, beard."""
    for side in (-1.0, 1.0):
        pen.fill(ellipse(side * 0.98, 0.02, 0.11, 0.15), shade(look, 0.08), -0.05)
        pen.fill(ellipse(side * 0.99, 0.03, 0.055, 0.085), shade(look, 0.28), -0.05)
    outline = contour(look)
    pen.fill(outline, look.skin)
    for side in (-1.0, 1.0):
        pen.fill(ellipse(side * 0.56, 0.22, 0.19, 0.12), mix(look.skin, (224, 110, 100), 0.12), 0.06)
    pen.fill(ellipse(0.0, -0.50, 0.52, 0.20), mix(look.skin, (255, 244, 230), 0.07))
    if look.beard in (1, 2):
        color = mix(look.skin, look.hair, 0.28 if look.beard == 1 else 0.82)
        j = look.jaw
        beard = xy(
            (-0.93, 0.0),
            (-0.86, 0.36),
            (-j, 0.70),
            (-0.34, 0.96),
            (0, 1.02),
            (0.34, 0.96),
            (j, 0.70),
            (0.86, 0.36),
            (0.93, 0.0),
        )
        inner = xy((0.78, 0.22), (0.58, 0.42), (0.40, 0.36), (0.0, 0.31), (-0.40, 0.36), (-0.58, 0.42), (-0.78, 0.22))
        pen.fill(np.concatenate([opened(beard), opened(inner)]), color)
    if look.beard == 3:
        pen.fill(
            closed(xy((-0.36, 0.44), (-0.16, 0.33), (0, 0.355), (0.16, 0.33), (0.36, 0.44), (0.0, 0.425))), look.hair, 0.14
        )


def contour(look: Look) -> NDArray[np.float64]:
    """The outline of the head."""
    j = look.jaw
    right = [(0.0, -1.0), (0.55, -0.90), (0.88, -0.58), (0.96, -0.15), (0.92, 0.25), (j + 0.05, 0.62), (0.34, 0.92)]
    left = [(-x, y) for x, y in right[:0:-1]]
    return closed(xy(*right, (0.0, 1.0), *left))


def body(pen: Pen, look: Look, shoulders: float, arms: float) -> None:
    """Neck, shoulders and clothes in canvas coordinates; raised shoulders touch the jaw."""
    x, chin = pen.x, pen.y + pen.height
    lift = 0.085 * shoulders
    top = 0.905 - lift
    neck = xy((x - 0.115, chin - 0.12), (x + 0.115, chin - 0.12), (x + 0.13, top + 0.05), (x - 0.13, top + 0.05))
    pen.on_canvas(neck, shade(look, 0.22))
    spread = 0.40 - 0.05 * min(arms, 0.0) * -1
    slope = 0.10 - 0.05 * shoulders
    left = [(x - 0.15, top - 0.01), (x - spread * 0.75, top + slope * 0.45), (x - spread - 0.06, top + slope), (x - 0.56, 1.15)]
    right = [(2 * x - px, py) for px, py in left[::-1]]
    torso = closed(xy(*left, *right))
    pen.on_canvas(torso, look.clothes)
    dark, light = mix(look.clothes, (10, 10, 20), 0.3), mix(look.clothes, (255, 255, 255), 0.55)
    if look.collar == 1:
        for side in (-1, 1):
            pen.on_canvas(xy((x, top + 0.12), (x + side * 0.15, top - 0.03), (x + side * 0.19, top + 0.06)), light)
    elif look.collar == 2:
        pen.on_canvas(xy((x - 0.13, top - 0.02), (x + 0.13, top - 0.02), (x, top + 0.13)), shade(look, 0.12))
    else:
        pen.on_canvas(ellipse(x, top, 0.145, 0.05), dark)
        pen.on_canvas(ellipse(x, top - 0.012, 0.125, 0.042), shade(look, 0.16))


def hands(pen: Pen, look: Look, arms: float) -> None:
    """Raised hands at both sides of the frame: the higher, the stronger."""
    y = 1.10 - 0.36 * arms
    for side in (-1, 1):
        x = 0.5 + side * 0.405
        sleeve = xy(
            (x - 0.065, y + 0.09), (x + 0.065, y + 0.09), (x + 0.085 + side * 0.03, 1.3), (x - 0.085 + side * 0.03, 1.3)
        )
        pen.on_canvas(sleeve, mix(look.clothes, (10, 10, 20), 0.15))
        for i in range(4):
            fx = x - 0.048 + 0.032 * i
            tip = y - 0.095 - (0.018 if i in (1, 2) else 0.0)
            pen.on_canvas(ellipse(fx, (tip + y) / 2, 0.0165, (y - tip) / 2 + 0.02), shade(look, 0.10 if i % 2 else 0.04))
        pen.on_canvas(ellipse(x - side * 0.066, y + 0.015, 0.018, 0.045), shade(look, 0.12))
        pen.on_canvas(ellipse(x, y + 0.035, 0.064, 0.070), mix(look.skin, (255, 200, 180), 0.12))


def glasses(pen: Pen, look: Look) -> None:
    """Round rims with a bridge."""
    for side in (-1.0, 1.0):
        rim = ellipse(side * look.apart, -0.10, 0.29, 0.205)
        pen.line(np.concatenate([rim, rim[:2]]), (38, 36, 42), 0.028, 0.14)
        pen.line(xy((side * (look.apart + 0.28), -0.13), (side * 0.97, -0.10)), (38, 36, 42), 0.026, 0.05)
    pen.line(opened(xy((-look.apart + 0.28, -0.12), (0, -0.16), (look.apart - 0.28, -0.12))), (38, 36, 42), 0.028, 0.16)


def hair_behind(pen: Pen, look: Look) -> None:
    """What hangs behind the head."""
    dark = mix(look.hair, (0, 0, 0), 0.25)
    if look.style == LONG:
        pen.fill(
            closed(xy((-0.9, -0.9), (0, -1.18), (0.9, -0.9), (1.2, 0.1), (1.22, 1.25), (0, 1.3), (-1.22, 1.25), (-1.2, 0.1))),
            dark,
        )
    elif look.style == BOB:
        pen.fill(
            closed(xy((-0.9, -0.9), (0, -1.18), (0.9, -0.9), (1.2, 0.0), (1.15, 0.68), (0, 0.8), (-1.15, 0.68), (-1.2, 0.0))),
            dark,
        )
    elif look.style == BUN:
        pen.fill(ellipse(0, -1.18, 0.36, 0.24), dark)
    elif look.style == CURLY:
        for angle in np.linspace(-2.5, 2.5, 15):
            pen.fill(ellipse(1.0 * np.sin(angle), -0.28 - 0.78 * np.cos(angle), 0.27, 0.23), dark)


def hair_in_front(pen: Pen, look: Look) -> None:
    """The hairline, or what is left of it."""
    color, shine = look.hair, mix(look.hair, (255, 235, 210), 0.22)
    outside = [(-1.03, -0.10), (-1.04, -0.50), (-0.72, -0.98), (0.0, -1.15), (0.72, -0.98), (1.04, -0.50), (1.03, -0.10)]
    lines = {
        SHORT: [(0.92, -0.30), (0.80, -0.60), (0.40, -0.72), (0.0, -0.70), (-0.40, -0.72), (-0.80, -0.60), (-0.92, -0.30)],
        PARTED: [(0.94, -0.20), (0.84, -0.48), (0.55, -0.62), (-0.10, -0.72), (-0.42, -0.86), (-0.80, -0.56), (-0.94, -0.20)],
        FRINGE: [(0.92, -0.15), (0.84, -0.46), (0.45, -0.56), (0.0, -0.54), (-0.45, -0.56), (-0.84, -0.46), (-0.92, -0.15)],
        LONG: [(0.95, 0.20), (0.86, -0.30), (0.55, -0.64), (0.0, -0.86), (-0.55, -0.64), (-0.86, -0.30), (-0.95, 0.20)],
        BOB: [(0.95, 0.30), (0.90, -0.30), (0.55, -0.58), (0.0, -0.60), (-0.55, -0.58), (-0.90, -0.30), (-0.95, 0.30)],
        BUN: [(0.94, -0.25), (0.80, -0.62), (0.40, -0.80), (0.0, -0.84), (-0.40, -0.80), (-0.80, -0.62), (-0.94, -0.25)],
        CURLY: [(0.93, -0.22), (0.80, -0.56), (0.40, -0.70), (0.0, -0.68), (-0.40, -0.70), (-0.80, -0.56), (-0.93, -0.22)],
    }
    if look.style == BALD:
        for side in (-1.0, 1.0):
            pen.fill(closed(xy((side * 1.03, 0.0), (side * 1.04, -0.42), (side * 0.90, -0.52), (side * 0.93, -0.18))), color)
        return
    pen.fill(np.concatenate([opened(xy(*outside)), opened(xy(*lines[look.style]))]), color)
    if look.style == CURLY:
        for angle in np.linspace(-1.3, 1.3, 9):
            pen.fill(ellipse(0.86 * np.sin(angle), -0.16 - 0.72 * np.cos(angle), 0.20, 0.15), color)
    pen.line(opened(xy((-0.62, -0.86), (-0.30, -0.99), (0.05, -1.02))), shine, 0.035)
    if look.style in (LONG, BOB):
        low = 1.1 if look.style == LONG else 0.62
        for side in (-1.0, 1.0):
            lock = xy(
                (side * 0.93, -0.3),
                (side * 1.12, -0.2),
                (side * 1.2, 0.4),
                (side * 1.16, low),
                (side * 0.98, low - 0.05),
                (side * 0.97, 0.3),
            )
            pen.fill(closed(lock), color)


def render_clip(latent: Latent, frames: int, size: int = 128, supersample: int = 2, fps: float = 10.0) -> Frames:
    """All frames of a clip, (frames, size, size, 3) RGB: expression in time, a sway of the head, blinks, speech."""
    rng = generator(latent.seed, "video")
    portrait = Portrait(latent.person, rng, size, supersample)
    times = ((np.arange(frames) + 0.5) / frames).astype(np.float32)
    track = latent.face_track(times)
    seconds = np.arange(frames) / fps
    phase, speed = rng.uniform(0, 2 * np.pi, 5), rng.uniform(1.2, 3.2, 5)
    sway = np.sin(np.outer(seconds, speed) + phase)  # (frames, 5)
    blinks = np.zeros(frames)
    for at in rng.integers(0, frames, 1 + frames // 30):
        blinks[at] = 0.85
    speech = np.abs(np.sin(seconds * rng.uniform(7, 10) + phase[0])) * (times > 0.06) * (times < 0.92)
    result = np.empty((frames, size, size, 3), np.uint8)
    still = Pose(float(rng.normal(0, 0.012)), float(rng.normal(0, 0.010)), float(rng.normal(0, 0.035)))
    for i in range(frames):
        pose = Pose(
            still.x + 0.010 * sway[i, 0],
            still.y + 0.007 * sway[i, 1],
            still.tilt + 0.030 * sway[i, 2],
            0.5 * sway[i, 3],
        )
        moment = Moment(track[i], float(blinks[i]), float(speech[i]), float(sway[i, 4]))
        result[i] = portrait.frame(moment, latent.scene_vector * (0.5 + 0.5 * min(1.0, times[i] / 0.25)), pose)
    return result


__all__ = ["INK", "Portrait", "Pose", "render_clip"]
