"""One clip of one data set: latents and everything an annotator would write about it.

The layouts write these to disk and the text stream reads them out directly, so that both obey the same world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from data_modules.synthetic.intents import draw_speech
from data_modules.synthetic.latents import (
    DEFAULT_SHARES,
    EMOTIONS,
    FACE_ACTED,
    VALENCE,
    VOICE_ACTED,
    Latent,
    Person,
    Shares,
    draw_latent,
)
from data_modules.synthetic.situations import Dialogue, draw_turns
from data_modules.synthetic.words import chinese_utterance, description, emotion_words, pick, utterance
from data_modules.vocabularies import CREMA_SENTENCES, MINTREC, MINTREC2

MER2023_LABELS = {
    "neutral": "neutral",
    "anger": "angry",
    "happy": "happy",
    "sad": "sad",
    "fear": "worried",
    "surprise": "surprise",
}
# probability of each true emotion, in the order of EMOTIONS: anger disgust fear happy neutral sad surprise
EVEN = (1.0,) * 7
PRIORS = {
    "CREMA-D": (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    "MER2023": (0.17, 0.0, 0.15, 0.17, 0.19, 0.17, 0.15),
    "CMU-MOSI": (0.14, 0.12, 0.08, 0.46, 0.05, 0.15, 0.0),  # a surprise has no polarity of its own
}
SHARES = {"CREMA-D": VOICE_ACTED, "M3ED": VOICE_ACTED, "CAER": FACE_ACTED, "FERV39k": FACE_ACTED}
SHARES_OF_GIVEN_WORDS = replace(DEFAULT_SHARES, words=0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip before it is rendered. `label` is an emotion of EMOTIONS, an intent, or a fine emotion of a dialogue."""

    latent: Latent
    text: str
    label: str
    text_zh: str = ""
    words: tuple[str, ...] = ()
    description: str = ""
    score: float = 0.0
    dialogue: Dialogue | None = None


def draw_emotion(rng: np.random.Generator, dataset: str) -> str:
    """A true emotion with the data set's probabilities."""
    prior = np.asarray(PRIORS.get(dataset, EVEN))
    return EMOTIONS[int(rng.choice(len(EMOTIONS), p=prior / prior.sum()))]


def draw_clip(rng: np.random.Generator, dataset: str, person: Person, emotion: str | None = None) -> Clip:
    """A clip of a data set whose labels are emotions, words or descriptions."""
    shares: Shares = SHARES.get(dataset, DEFAULT_SHARES)
    sarcastic = dataset not in ("CREMA-D", "M3ED")
    latent = draw_latent(rng, person, emotion or draw_emotion(rng, dataset), shares, sarcastic)
    if dataset == "CREMA-D":
        text = pick(rng, tuple(CREMA_SENTENCES.values()))
    else:
        text = utterance(rng, latent.words)
    score = round(3.0 * VALENCE[latent.emotion] * latent.intensity, 1) + 0.0
    return Clip(
        latent=latent,
        text=text.upper() if dataset == "CMU-MOSI" else text,
        label=latent.emotion,
        text_zh=chinese_utterance(rng, latent.words),
        words=emotion_words(latent),
        description=description(latent),
        score=score,
    )


def draw_intent_clip(rng: np.random.Generator, dataset: str, person: Person, intent: str | None = None) -> Clip:
    """A clip of MIntRec or MIntRec2.0. The words belong to the intent; the emotion shows in face and voice only."""
    vocabulary = MINTREC if dataset == "MIntRec" else MINTREC2
    speech = draw_speech(rng, vocabulary, intent or pick(rng, vocabulary))
    latent = draw_latent(rng, person, speech.emotion, SHARES_OF_GIVEN_WORDS, sarcastic_words=False)
    return Clip(latent, speech.text.lower() if dataset == "MIntRec" else speech.text, speech.intent)


def draw_dialogue_clips(rng: np.random.Generator, person: Person, turns: int, coarse: str | None = None) -> list[Clip]:
    """The user turns of one AvaMERG dialogue, each a clip of the same person."""
    clips = []
    for dialogue in draw_turns(rng, turns, coarse):
        latent = draw_latent(rng, person, dialogue.coarse, SHARES_OF_GIVEN_WORDS, sarcastic_words=False)
        clips.append(Clip(latent, dialogue.text, dialogue.chain.speaker_emotion, dialogue=dialogue))
    return clips
