"""Endless seeded material to pre-train tiny towers and a tiny language model: people and clips of no corpus.

Faces and voices come with the attributes that drew them, so a tower learns to see them whatever the label. Texts come
with cue words in place of modality tokens: from cues and subtitle the answer follows as it does from the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_modules.record import Media, Sample, Task
from data_modules.synthetic.clips import MER2023_LABELS, Clip, draw_clip, draw_dialogue_clips, draw_intent_clip
from data_modules.synthetic.expression import Moment
from data_modules.synthetic.faces import Portrait, Pose
from data_modules.synthetic.latents import (
    EMOTIONS,
    FACE_PROTOTYPES,
    HABIT,
    NOISE,
    SCENE_PROTOTYPES,
    VOICE_PROTOTYPES,
    Array,
    Prototypes,
    draw_person,
)
from data_modules.synthetic.voices import speak, timbre_of
from data_modules.synthetic.words import cue_phrases
from data_modules.vocabularies import EMPATHETIC_DIALOGUES, MINTREC, MINTREC2

NOWHERE = Media(video=Path("no_clip.mp4"))  # a stream's samples have no media
SEVEN = tuple(sorted(EMOTIONS))
SIX_OF_CREMA = tuple(sorted(set(EMOTIONS) - {"surprise"}))
SIX_OF_MER = tuple(sorted(MER2023_LABELS.values()))
TEXT_WEIGHTS = {  # how often each data set is drawn; dialogues and intents have the most to learn
    "CREMA-D": 0.8,
    "M3ED": 0.5,
    "CAER": 0.8,
    "FERV39k": 0.6,
    "MIntRec": 1.5,
    "MIntRec2.0": 2.2,
    "MER-Caption+": 2.6,
    "MERR-Fine": 0.4,
    "AvaMERG": 5.0,
    "MER2023": 1.6,
    "CMU-MOSI": 0.1,
}


def attributes(rng: np.random.Generator, table: Prototypes, size: int) -> Array:
    """Attribute vectors to learn from, (size, n): two thirds emotions of any strength, one third blends of anything."""
    rows = np.asarray([table[emotion] for emotion in EMOTIONS], np.float32)
    strength = rng.uniform(0.0, 1.0, (size, 1)) ** 0.5
    shown = rows[rng.integers(len(rows), size=size)] * strength
    blends = 0.6 * rows[rng.integers(len(rows), size=size)] + rng.uniform(-0.6, 0.6, shown.shape)
    vectors = np.where(rng.random((size, 1)) < 2 / 3, shown, blends)
    vectors = vectors + rng.normal(0, np.hypot(HABIT, NOISE), shown.shape)
    return np.clip(vectors, -1, 1).astype(np.float32)


def face_batch(rng: np.random.Generator, size: int, pixels: int) -> tuple[NDArray[np.uint8], Array, Array]:
    """`size` portraits of new people: frames (size, 3, pixels, pixels), face attributes (size, 8), scene (size, 5)."""
    faces, scenes = attributes(rng, FACE_PROTOTYPES, size), attributes(rng, SCENE_PROTOTYPES, size)
    frames = np.empty((size, 3, pixels, pixels), np.uint8)
    for i in range(size):
        portrait = Portrait(draw_person(rng), rng, pixels, supersample=2)
        still = rng.normal(0, (0.015, 0.012, 0.045, 0.4))
        pose = Pose(float(still[0]), float(still[1]), float(still[2]), float(np.clip(still[3], -1, 1)))
        moment = Moment(
            faces[i],
            blink=0.85 if rng.random() < 0.04 else 0.0,
            speech=float(rng.random()) if rng.random() < 0.7 else 0.0,
            gaze=float(rng.uniform(-1, 1)),
        )
        frames[i] = portrait.frame(moment, scenes[i], pose).transpose(2, 0, 1)
    return frames, faces, scenes


def voice_batch(rng: np.random.Generator, size: int, seconds: float) -> tuple[Array, Array]:
    """`size` voices of new people: waveforms (size, seconds * 16000), voice attributes (size, 8)."""
    vectors = attributes(rng, VOICE_PROTOTYPES, size)
    waves = [speak(timbre_of(draw_person(rng)), vector, seconds, rng) for vector in vectors]
    return np.stack(waves), vectors


def text_samples(rng: np.random.Generator) -> Iterator[tuple[Sample, dict[str, str]]]:
    """Endless records of all data sets and tasks, each with cue phrases for the modalities that the data set has.

    The keys of the cues are among `visual`, `speech`, `face`. The media of the records do not exist.
    """
    names = tuple(TEXT_WEIGHTS)
    weights = np.asarray([TEXT_WEIGHTS[name] for name in names])
    number = 0
    while True:
        dataset = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        person = draw_person(rng)
        if dataset == "AvaMERG":
            clips = draw_dialogue_clips(rng, person, turns=int(rng.integers(1, 3)))
        elif dataset.startswith("MIntRec"):
            clips = [draw_intent_clip(rng, dataset, person)]
        else:
            clips = [draw_clip(rng, dataset, person)]
        yield as_sample(dataset, f"stream{number:07d}", clips[-1]), cues_of(dataset, clips[-1])
        number += 1


def cues_of(dataset: str, clip: Clip) -> dict[str, str]:
    """Cue phrases of the modalities that the data set records."""
    cues = cue_phrases(clip.latent)
    if dataset in ("CREMA-D", "M3ED"):
        return {"speech": cues["speech"]}
    if dataset in ("CAER", "FERV39k"):
        return {"visual": cues["visual"], "face": cues["face"]}
    return cues


def as_sample(dataset: str, name: str, clip: Clip) -> Sample:
    """The record that the data set's reader would make of this clip."""

    def record(*tasks: Task, **fields: object) -> Sample:
        return Sample(name, dataset, "train", tasks, NOWHERE, **fields)  # type: ignore[arg-type]

    if dataset == "CREMA-D":
        return record(Task.MER, subtitle=clip.text, label=clip.label, candidates=SIX_OF_CREMA)
    if dataset == "M3ED":
        return record(Task.MER, language="zh", subtitle=clip.text_zh, label=clip.label, candidates=SEVEN)
    if dataset in ("CAER", "FERV39k"):
        language = "zh" if dataset == "FERV39k" else "en"
        return record(Task.MER, language=language, label=clip.label, candidates=SEVEN)
    if dataset == "MER2023":
        label = MER2023_LABELS[clip.label]
        return record(Task.MER, language="zh", subtitle=clip.text, label=label, candidates=SIX_OF_MER)
    if dataset == "MIntRec":
        return record(Task.MIR, subtitle=clip.text, label=clip.label, candidates=tuple(sorted(MINTREC)))
    if dataset == "MIntRec2.0":
        return record(Task.MIR, subtitle=clip.text, label=clip.label, candidates=tuple(sorted(MINTREC2)))
    if dataset == "MER-Caption+":
        fields = {"words": clip.words, "description": clip.description}
        return record(Task.OV_MER, Task.ERI, language="zh", subtitle=clip.text, **fields)
    if dataset == "MERR-Fine":
        return record(Task.ERI, language="zh", subtitle=clip.text, description=clip.description)
    if dataset == "CMU-MOSI":
        return record(Task.MSA, subtitle=clip.text, score=clip.score, score_range=(-3.0, 3.0))
    if dataset == "AvaMERG" and clip.dialogue is not None:
        return record(
            Task.ERG,
            Task.MER,
            subtitle=clip.text,
            label=clip.label,
            candidates=EMPATHETIC_DIALOGUES,
            context=clip.dialogue.context,
            history=clip.dialogue.history,
            chain=clip.dialogue.chain,
            response=clip.dialogue.response,
        )
    raise ValueError(f"no text stream for data set {dataset!r}; there are {list(TEXT_WEIGHTS)}")
