"""Contact sheets: the synthetic people with every emotion, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_modules.synthetic.expression import Moment
from data_modules.synthetic.faces import Portrait
from data_modules.synthetic.latents import EMOTIONS, Shares, draw_latent, generator, pool

OPEN = Shares(poker_face=0.0, flat_voice=0.0, masking=0.0, sarcasm=0.0, scene=0.6)  # nobody hides anything


def contact_sheet(path: Path, seed: int = 0, people: int = 6, size: int = 160) -> Path:
    """Draws `people` rows of the seven emotions at their apex, labelled, as a PNG; returns its path."""
    margin, band = 6, 26
    width = len(EMOTIONS) * (size + margin) + margin
    sheet = Image.new("RGB", (width, band + people * (size + margin) + margin), (250, 250, 248))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    for column, emotion in enumerate(EMOTIONS):
        centre = margin + column * (size + margin) + size // 2
        draw.text((centre, band // 2 + 2), emotion, fill=(40, 40, 44), font=font, anchor="mm")
    for row, person in enumerate(pool(seed, "sheet", people)):
        for column, emotion in enumerate(EMOTIONS):
            rng = generator(seed, "sheet", row, emotion)
            latent = draw_latent(rng, person, emotion, OPEN)
            frame = Portrait(person, rng, size, supersample=3).frame(Moment(latent.face_vector), latent.scene_vector)
            sheet.paste(
                Image.fromarray(np.ascontiguousarray(frame)),
                (margin + column * (size + margin), band + row * (size + margin)),
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path
