"""The hidden causes of a synthetic clip: who feels what, how strongly, and which modality lets it show.

What is unusual: a clip's true emotion and what each of its modalities expresses are different things. In a set share
of the clips the face stays blank, or the voice does, or a smile covers the face after a third of the clip, or the
words say the opposite. One modality alone is therefore wrong about as often as `Shares` says, and all together are
nearly always right: the numbers that the demonstration shows are decided here.

An attribute vector lies in [-1, 1] per entry: prototype of the expressed emotion x intensity + the person's habit +
noise of the clip. Zero is a relaxed neutral person.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Prototypes = Mapping[str, tuple[float, ...]]

EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
NEGATIVE = ("anger", "disgust", "fear", "sad")
VALENCE = {"anger": -1.0, "disgust": -0.8, "fear": -0.7, "happy": 1.0, "neutral": 0.0, "sad": -0.9, "surprise": 0.6}

FACE_ATTRIBUTES = (
    "inner_brow",
    "outer_brow",
    "brow_lower",
    "eye_open",
    "mouth_curve",
    "mouth_open",
    "lip_press",
    "nose_wrinkle",
)
VOICE_ATTRIBUTES = ("pitch", "pitch_range", "contour", "loudness", "tempo", "brightness", "roughness", "tremor")
SCENE_ATTRIBUTES = ("lean", "shoulders", "arms", "light_warmth", "light_level")

FACE_PROTOTYPES = {
    "anger": (-0.45, 0.15, 0.95, -0.10, -0.40, -0.40, 0.95, 0.25),
    "disgust": (-0.20, -0.30, 0.45, -0.70, -0.55, 0.00, -0.10, 1.00),
    "fear": (0.95, 0.10, 0.15, 0.80, -0.75, 0.45, -0.40, 0.00),
    "happy": (0.05, 0.20, -0.30, -0.40, 0.98, 0.40, -0.30, 0.00),
    "neutral": (0.0,) * 8,
    "sad": (0.85, -0.70, 0.00, -0.70, -0.85, -0.40, 0.10, -0.05),
    "surprise": (0.60, 0.95, -0.50, 0.95, 0.15, 0.95, -0.60, -0.10),
}
VOICE_PROTOTYPES = {
    "anger": (0.25, 0.45, -0.45, 0.95, 0.60, 0.85, 0.95, -0.10),
    "disgust": (-0.65, -0.15, -0.85, -0.05, -0.55, 0.15, 0.70, 0.00),
    "fear": (0.75, -0.45, 0.25, -0.40, 0.85, -0.15, -0.20, 0.95),
    "happy": (0.50, 0.75, 0.25, 0.50, 0.45, 0.60, -0.45, -0.15),
    "neutral": (0.0,) * 8,
    "sad": (-0.50, -0.75, -0.55, -0.85, -0.90, -0.75, -0.10, 0.40),
    "surprise": (0.95, 0.95, 0.95, 0.25, -0.30, 0.25, -0.30, 0.00),
}
SCENE_PROTOTYPES = {
    "anger": (0.85, 0.60, 0.80, 0.55, -0.30),
    "disgust": (-0.85, -0.15, 0.35, -0.60, 0.10),
    "fear": (-0.60, 0.90, 0.10, -0.70, -0.85),
    "happy": (0.25, -0.10, 0.60, 0.75, 0.85),
    "neutral": (0.0,) * 5,
    "sad": (0.35, -0.90, -0.70, -0.60, -0.65),
    "surprise": (-0.65, 0.50, 0.95, 0.05, 0.65),
}
HABIT = 0.10  # standard deviation of a person's offset, per attribute
NOISE = 0.12  # and of a clip's


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """A generator for one named thing: equal for equal arguments, whatever process asks, and whatever was drawn before."""
    words = [zlib.crc32(key.encode()) if isinstance(key, str) else int(key) for key in keys]
    return np.random.default_rng(np.random.SeedSequence([int(seed), *words]))


def prototype(table: Prototypes, emotion: str) -> Array:
    """One row of a prototype table."""
    return np.asarray(table[emotion], np.float32)


class Mode(StrEnum):
    """How a clip's modalities agree with the truth."""

    AGREE = "agree"
    POKER_FACE = "poker_face"  # the face is blank, the voice tells
    FLAT_VOICE = "flat_voice"  # the voice is blank, the face tells
    MASKING = "masking"  # the face tells for a third of the clip, then smiles
    SARCASM = "sarcasm"  # face and voice tell, the words say the opposite


@dataclass(frozen=True, slots=True)
class Shares:
    """Probabilities of the modes, given a true emotion that is not neutral; the rest agrees.

    Masking and sarcasm need a negative truth: for others their share goes to agreement. `sarcasm` is a part of what
    agrees. `scene` and `words` are the probabilities that posture and light, or the words, express the truth; with a
    poker face the scene does so only `hidden` times as often, since who hides a feeling hides the posture too.
    """

    poker_face: float = 0.23
    flat_voice: float = 0.24
    masking: float = 0.08
    sarcasm: float = 0.25
    scene: float = 0.45
    words: float = 0.30
    hidden: float = 0.4


DEFAULT_SHARES = Shares()
VOICE_ACTED = Shares(poker_face=0.3, flat_voice=0.05, masking=0.0, sarcasm=0.0)  # audio-only data: played to be heard
FACE_ACTED = Shares(poker_face=0.05, flat_voice=0.3, masking=0.04, sarcasm=0.0)  # silent video: played to be seen


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """Somebody; `seed` fixes looks and timbre, the habits shift what their neutral looks and sounds like."""

    name: str
    seed: int
    female: bool
    face_habit: Array
    voice_habit: Array
    scene_habit: Array


def draw_person(rng: np.random.Generator, name: str = "someone") -> Person:
    """A person drawn from `rng`."""
    habits = [np.clip(rng.normal(0, HABIT, n), -0.2, 0.2).astype(np.float32) for n in (8, 8, 5)]
    return Person(name, int(rng.integers(2**62)), bool(rng.random() < 0.5), *habits)


def pool(seed: int, split: str, size: int) -> list[Person]:
    """The people of one split. Other splits are other people: the name, with the split in it, seeds them."""
    return [draw_person(generator(seed, "person", split, i), f"{split}{i:03d}") for i in range(size)]


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """One clip's causes. `face`, `voice`, `scene`, `words` name the emotion that each modality expresses."""

    emotion: str
    intensity: float
    mode: Mode
    person: Person
    face: str
    voice: str
    scene: str
    words: str
    face_base: Array  # habit + noise, (8,)
    voice_vector: Array  # (8,)
    scene_vector: Array  # (5,)
    seed: int  # of everything that carries no meaning: blinks, head movement, background, syllables

    @property
    def face_vector(self) -> Array:
        """Face attributes at the apex of what the face expresses first, (8,)."""
        return express(FACE_PROTOTYPES, self.face, self.intensity, self.face_base)

    def face_track(self, times: Array) -> Array:
        """Face attributes at `times` in [0, 1] of the clip: onset, apex, slight offset; masking turns to a smile.

        Returns (len(times), 8).
        """
        rise = np.clip(0.4 + times / 0.2, 0.0, 1.0)
        if self.mode is Mode.MASKING:
            mask = np.clip((times - 0.3) / 0.1, 0.0, 1.0)
            shown = np.outer(rise * (1 - mask) * self.intensity, prototype(FACE_PROTOTYPES, self.face))
            shown += np.outer(mask * 0.85, prototype(FACE_PROTOTYPES, "happy"))
        else:
            strength = rise * np.clip(1.0 - (times - 0.85) / 0.15 * 0.3, 0.0, 1.0) * self.intensity
            shown = np.outer(strength, prototype(FACE_PROTOTYPES, self.face))
        return np.clip(shown + self.face_base, -1, 1).astype(np.float32)


def express(table: Prototypes, emotion: str, intensity: float, base: Array) -> Array:
    """Attributes of an expressed emotion: prototype x intensity + base, clipped to [-1, 1]."""
    return np.clip(prototype(table, emotion) * intensity + base, -1, 1).astype(np.float32)


def draw_mode(rng: np.random.Generator, emotion: str, shares: Shares = DEFAULT_SHARES) -> Mode:
    """The mode of a clip with this true emotion; neutral always agrees."""
    draw, sarcasm = rng.random(), rng.random() < shares.sarcasm
    if emotion == "neutral":
        return Mode.AGREE
    if draw < shares.poker_face:
        return Mode.POKER_FACE
    if draw < shares.poker_face + shares.flat_voice:
        return Mode.FLAT_VOICE
    if emotion in NEGATIVE:
        if draw < shares.poker_face + shares.flat_voice + shares.masking:
            return Mode.MASKING
        if sarcasm:
            return Mode.SARCASM
    return Mode.AGREE


def draw_latent(
    rng: np.random.Generator, person: Person, emotion: str, shares: Shares = DEFAULT_SHARES, sarcastic_words: bool = True
) -> Latent:
    """A clip of `person` feeling `emotion`. `sarcastic_words=False`: data whose words are decided elsewhere."""
    if emotion not in EMOTIONS:
        raise ValueError(f"emotion {emotion!r} is none of {list(EMOTIONS)}")
    mode = draw_mode(rng, emotion, shares)
    if mode is Mode.SARCASM and not sarcastic_words:
        mode = Mode.AGREE
    intensity = float(rng.uniform(0.55, 1.0))
    visible = shares.scene * (shares.hidden if mode is Mode.POKER_FACE else 1.0)
    scene = emotion if rng.random() < visible else "neutral"
    words = emotion if rng.random() < shares.words else "neutral"
    if mode is Mode.SARCASM:
        words = "happy"
    face = "neutral" if mode is Mode.POKER_FACE else emotion
    voice = "neutral" if mode is Mode.FLAT_VOICE else emotion
    noise = [np.clip(rng.normal(0, NOISE, n), -0.25, 0.25).astype(np.float32) for n in (8, 8, 5)]
    return Latent(
        emotion=emotion,
        intensity=intensity,
        mode=mode,
        person=person,
        face=face,
        voice=voice,
        scene=scene,
        words=words,
        face_base=person.face_habit + noise[0],
        voice_vector=express(VOICE_PROTOTYPES, voice, intensity, person.voice_habit + noise[1]),
        scene_vector=express(SCENE_PROTOTYPES, scene, intensity, person.scene_habit + noise[2]),
        seed=int(rng.integers(2**62)),
    )
