"""What a synthetic person looks like, and the room behind them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from data_modules.synthetic.drawing import Color, Pen, ellipse, mix, xy
from data_modules.synthetic.latents import Person, generator

SKINS: tuple[Color, ...] = (
    (250, 219, 196),
    (241, 199, 168),
    (229, 180, 143),
    (212, 158, 118),
    (181, 126, 88),
    (146, 97, 66),
    (110, 72, 50),
)
HAIRS: tuple[Color, ...] = (
    (28, 24, 26),
    (52, 36, 28),
    (88, 56, 34),
    (132, 84, 44),
    (196, 152, 82),
    (150, 62, 32),
    (150, 146, 144),
)
CLOTHES: tuple[Color, ...] = (
    (52, 84, 138),
    (150, 52, 60),
    (60, 118, 88),
    (222, 214, 198),
    (70, 66, 82),
    (198, 142, 60),
    (118, 82, 142),
    (92, 148, 172),
)
WALLS: tuple[Color, ...] = (
    (176, 190, 200),
    (206, 196, 178),
    (168, 182, 164),
    (196, 178, 184),
    (150, 158, 178),
    (186, 186, 186),
)
IRISES: tuple[Color, ...] = ((74, 48, 30), (96, 70, 38), (62, 100, 140), (78, 116, 78), (92, 98, 106))
LIPS: Color = (176, 68, 76)
SHORT, PARTED, LONG, BOB, CURLY, BUN, BALD, FRINGE = range(8)


@dataclass(frozen=True, slots=True)
class Look:
    """Everything about a face that an expression does not change."""

    skin: Color
    hair: Color
    lip: Color
    iris: Color
    clothes: Color
    collar: int  # 0 round neck, 1 shirt, 2 V neck
    style: int
    width: float  # half the head, of the canvas
    jaw: float
    eye: float  # size of the eyes
    apart: float
    nose: float
    mouth: float
    brow: float  # thickness of the brows
    beard: int  # 0 none, 1 stubble, 2 full, 3 moustache
    glasses: bool
    lashes: float
    age: float  # depth of the folds


def look_of(person: Person) -> Look:
    """The look that a person's seed fixes."""
    rng = generator(person.seed, "look")
    tone = int(rng.integers(len(SKINS)))
    skin = mix(SKINS[tone], (226, 150, 130), float(rng.uniform(0, 0.12)))
    hair = HAIRS[int(rng.integers(len(HAIRS) if tone < 4 else 3))]
    woman = person.female
    styles = [PARTED, LONG, BOB, CURLY, BUN, FRINGE, LONG] if woman else [SHORT, SHORT, PARTED, CURLY, BALD, FRINGE]
    return Look(
        skin=skin,
        hair=mix(hair, (128, 96, 80), float(rng.uniform(0, 0.15))),
        lip=mix(mix(skin, LIPS, 0.62 if woman else 0.40), (90, 30, 40), 0.10),
        iris=IRISES[int(rng.integers(len(IRISES) if tone < 4 else 2))],
        clothes=CLOTHES[int(rng.integers(len(CLOTHES)))],
        collar=int(rng.integers(3)),
        style=int(styles[int(rng.integers(len(styles)))]),
        width=float(rng.uniform(0.285, 0.325)),
        jaw=float(rng.uniform(0.56, 0.66) if woman else rng.uniform(0.62, 0.76)),
        eye=float(rng.uniform(0.96, 1.14) if woman else rng.uniform(0.88, 1.04)),
        apart=float(rng.uniform(0.40, 0.45)),
        nose=float(rng.uniform(0.85, 1.0) if woman else rng.uniform(0.95, 1.2)),
        mouth=float(rng.uniform(0.31, 0.38)),
        brow=float(rng.uniform(0.75, 1.0) if woman else rng.uniform(1.0, 1.4)),
        beard=0 if woman else int(rng.choice(4, p=[0.55, 0.17, 0.14, 0.14])),
        glasses=bool(rng.random() < 0.22),
        lashes=float(rng.uniform(0.7, 1.0) if woman else rng.uniform(0.1, 0.4)),
        age=float(rng.random()),
    )


def room(rng: np.random.Generator, size: int) -> Image.Image:
    """A wall with a gradient and some furniture, (size, size) RGB. It carries no meaning."""
    wall = np.array(WALLS[int(rng.integers(len(WALLS)))], np.float32) * rng.uniform(0.75, 1.05)
    down = np.linspace(rng.uniform(1.0, 1.12), rng.uniform(0.72, 0.9), size, dtype=np.float32)[:, None]
    across = np.linspace(rng.uniform(0.85, 1.1), rng.uniform(0.85, 1.1), size, dtype=np.float32)[None]
    image = Image.fromarray(np.clip((down * across)[..., None] * wall, 0, 255).astype(np.uint8))
    pen = Pen(ImageDraw.Draw(image), size, 0.5, 0.5, 0.5, 0.5)
    tint = tuple(int(c) for c in wall)
    base: Color = (tint[0], tint[1], tint[2])
    for _ in range(int(rng.integers(1, 4))):
        kind, left = int(rng.integers(5)), bool(rng.random() < 0.5)
        x, y = (rng.uniform(0.0, 0.16) if left else rng.uniform(0.80, 0.98)), rng.uniform(0.08, 0.5)
        if kind == 0:  # a window
            _box(pen, x, 0.26, 0.15, 0.24, mix(base, (250, 250, 245), 0.6))
            _box(pen, x, 0.26, 0.125, 0.215, mix(base, (190, 216, 238), 0.75))
            _box(pen, x, 0.26, 0.010, 0.24, mix(base, (250, 250, 245), 0.6))
            _box(pen, x, 0.26, 0.15, 0.010, mix(base, (250, 250, 245), 0.6))
        elif kind == 1:  # a picture
            _box(pen, x, y, 0.10, 0.12, mix(base, (70, 50, 36), 0.7))
            _box(pen, x, y, 0.08, 0.10, mix(base, CLOTHES[int(rng.integers(len(CLOTHES)))], 0.55))
        elif kind == 2:  # a shelf with books
            _box(pen, x, y + 0.10, 0.18, 0.012, mix(base, (84, 58, 40), 0.75))
            for i in range(5):
                tall = rng.uniform(0.05, 0.09)
                color = mix(base, CLOTHES[int(rng.integers(len(CLOTHES)))], 0.6)
                _box(pen, x - 0.12 + 0.05 * i, y + 0.088 - tall, 0.018, tall, color)
        elif kind == 3:  # a plant
            for angle in np.linspace(-1.2, 1.2, 6) + rng.normal(0, 0.08, 6):
                tip = np.array([x + 0.2 * np.sin(angle), 0.62 - 0.26 * np.cos(angle)])
                wide = np.array([0.03, 0.0])
                below = tip + np.array([0.0, 0.05])
                leaf = np.stack([xy((x - 0.02, 0.66))[0], below - wide, tip, below + wide, xy((x + 0.02, 0.66))[0]])
                pen.on_canvas(leaf, mix(base, (52, 104, 66), 0.75))
        else:  # a lamp
            pen.on_canvas(ellipse(x, y, 0.11, 0.11), mix(base, (255, 240, 205), 0.35))
            pen.on_canvas(ellipse(x, y, 0.065, 0.065), mix(base, (255, 246, 220), 0.75))
    return image


def _box(pen: Pen, x: float, y: float, half_width: float, half_height: float, color: Color) -> None:
    pen.on_canvas(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * (half_width, half_height) + (x, y), color)
