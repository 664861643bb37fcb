"""What is said, and what is said about a clip: utterances, cue words, emotion words, descriptions.

Cue words and descriptions are computed from the attributes that are drawn and heard, never from the label, so that a
description is true of its clip. The vocabulary is small on purpose: a language model of a million weights learns it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from data_modules.synthetic.latents import FACE_ATTRIBUTES, SCENE_ATTRIBUTES, VOICE_ATTRIBUTES, Array, Latent, Mode

SLOTS = {
    "thing": ("book", "phone", "letter", "car", "cake", "picture", "box", "report", "coat", "ticket"),
    "place": ("office", "school", "store", "park", "station", "kitchen", "garden", "hotel"),
    "person": ("Anna", "Tom", "Maria", "Sam", "my brother", "my boss", "the driver", "the doctor"),
    "day": ("today", "yesterday", "on Monday", "last night", "this morning", "on Friday"),
    "time": ("nine", "noon", "six", "four"),
}
UTTERANCES = {
    "neutral": (
        "The meeting starts at {time}.",
        "He left the {thing} on the table.",
        "We went to the {place} {day}.",
        "She called me {day}.",
        "I saw {person} at the {place}.",
        "They told me about the {thing}.",
        "It was {time} when they came.",
        "You were at the {place} {day}.",
        "This is about the {thing}.",
        "I heard what {person} said.",
        "So that is what happened.",
        "I did not know you were here.",
        "You said you would bring the {thing}.",
        "They gave me the {thing} {day}.",
        "I have been thinking about {person}.",
        "Now {person} has the {thing}.",
    ),
    "happy": (
        "I am so glad about the {thing}.",
        "This is the best {thing} ever.",
        "What a wonderful {thing}.",
        "I love this {place}.",
        "We did it, this is great.",
        "I enjoy every minute with {person}.",
    ),
    "sad": (
        "I miss {person} so much.",
        "I lost the {thing} and it hurts.",
        "It will never be the same.",
        "I feel so alone at the {place}.",
        "I wanted the {thing} and now it is gone.",
    ),
    "anger": (
        "How dare you touch my {thing}.",
        "I am sick of this {place}.",
        "That is so unfair.",
        "I told you to stop.",
        "Who broke my {thing}?",
    ),
    "fear": (
        "I am scared of the {place}.",
        "What if {person} gets hurt?",
        "Something bad will happen {day}.",
        "Please do not leave me here.",
        "Someone is following us.",
    ),
    "disgust": (
        "This {thing} smells awful.",
        "That is so gross.",
        "How can they eat this?",
        "I can not stand the dirty {place}.",
    ),
    "surprise": (
        "I can not believe it.",
        "Wow, is that the {thing}?",
        "I never expected {person} at all.",
        "Oh my, what is that?",
    ),
}
CHINESE = {
    "neutral": ("我们明天再说。", "他在学校等你。", "这是你的书。", "我昨天见到他了。", "现在几点了？", "我知道了。"),
    "happy": ("太好了！", "我真高兴。"),
    "sad": ("我很想他。", "再也回不去了。"),
    "anger": ("你怎么能这样！", "别说了！"),
    "fear": ("我害怕。", "会出事的。"),
    "disgust": ("真恶心。", "我受不了这个。"),
    "surprise": ("真的吗？", "怎么会是你？"),
}
EMOTION_WORDS = {  # (mild, strong): words that the emotion wheels know
    "anger": (("annoyed", "frustrated"), ("angry", "furious")),
    "disgust": (("disapproving", "disgusted"), ("disgusted", "repelled")),
    "fear": (("worried", "nervous"), ("afraid", "terrified")),
    "happy": (("happy", "content"), ("joyful", "excited")),
    "neutral": (("neutral", "calm"), ("neutral", "calm")),
    "sad": (("sad", "disappointed"), ("sad", "depressed")),
    "surprise": (("surprised", "confused"), ("amazed", "shocked")),
}
STRONG = 0.775  # intensity

# attribute: (phrase above the threshold, phrase below its negative)
FACE_CUES = {
    "inner_brow": ("raised inner brows", None),
    "outer_brow": ("high brows", "drooping brows"),
    "brow_lower": ("low brows", None),
    "eye_open": ("wide eyes", "narrow eyes"),
    "mouth_curve": ("a smile", "a downturned mouth"),
    "mouth_open": ("an open mouth", None),
    "lip_press": ("pressed lips", None),
    "nose_wrinkle": ("a wrinkled nose", None),
}
VOICE_CUES = {
    "pitch": ("high", "low"),
    "pitch_range": ("lively", "flat"),
    "contour": ("rising", "falling"),
    "loudness": ("loud", "quiet"),
    "tempo": ("fast", "slow"),
    "brightness": ("sharp", "dull"),
    "roughness": ("rough", None),
    "tremor": ("trembling", None),
}
SCENE_CUES = {
    "lean": ("leaning forward", "leaning back"),
    "shoulders": ("raised shoulders", "dropped shoulders"),
    "arms": ("raised hands", None),
    "light_warmth": ("warm light", "cold light"),
    "light_level": ("bright light", "dim light"),
}
THRESHOLD = 0.38
STRENGTH = 0.70  # mean of the three largest attributes: about what a strong intensity gives


def fill(rng: np.random.Generator, template: str) -> str:
    """A template with its slots filled."""
    words = {name: values[int(rng.integers(len(values)))] for name, values in SLOTS.items()}
    text = template.format(**words)
    return text[0].upper() + text[1:]


def pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    """One of several texts."""
    return options[int(rng.integers(len(options)))]


def utterance(rng: np.random.Generator, expressed: str) -> str:
    """A sentence whose words express an emotion, or nothing if that is neutral."""
    return fill(rng, pick(rng, UTTERANCES[expressed]))


def chinese_utterance(rng: np.random.Generator, expressed: str) -> str:
    """The same in Chinese, out of a small fixed set."""
    return pick(rng, CHINESE[expressed])


def emotion_words(latent: Latent) -> tuple[str, ...]:
    """Open-vocabulary words of what is truly felt; sarcasm is named."""
    words = EMOTION_WORDS[latent.emotion][latent.intensity >= STRONG]
    return (*words, "sarcastic") if latent.mode is Mode.SARCASM else words


def cue_words(
    names: tuple[str, ...], table: Mapping[str, tuple[str, str | None]], vector: Array, most: int = 3
) -> tuple[str, ...]:
    """Phrases for the attributes that pass the threshold, the strongest first."""
    order = np.argsort(-np.abs(vector))
    phrases = [table[names[i]][0 if vector[i] > 0 else 1] for i in order if abs(vector[i]) >= THRESHOLD]
    return tuple(phrase for phrase in phrases if phrase)[:most]


def face_cues(latent: Latent, most: int = 3) -> tuple[str, ...]:
    """What the face shows, before a mask if there is one."""
    return cue_words(FACE_ATTRIBUTES, FACE_CUES, latent.face_vector, most)


def voice_cues(latent: Latent, most: int = 3) -> tuple[str, ...]:
    """What the voice carries."""
    return cue_words(VOICE_ATTRIBUTES, VOICE_CUES, latent.voice_vector, most)


def scene_cues(latent: Latent, most: int = 2) -> tuple[str, ...]:
    """Posture and light."""
    return cue_words(SCENE_ATTRIBUTES, SCENE_CUES, latent.scene_vector, most)


def cue_phrases(latent: Latent) -> dict[str, str]:
    """Short phrases that say what each modality shows: `visual` (frames), `speech`, `face`.

    They stand for the modality's tokens when a language model is pre-trained without any clip.
    """
    face = ", ".join(face_cues(latent, 4)) or "a relaxed face"
    mask = ", then a smile" if latent.mode is Mode.MASKING else ""
    strong = _strength(latent)
    scene = ", ".join(scene_cues(latent)) or "an ordinary room"
    seen = " and ".join(face_cues(latent, 2)) or "a relaxed face"
    voice = ", ".join(voice_cues(latent, 4)) or "even"
    return {
        "visual": f"{seen}{mask}, {scene}",
        "speech": f"{strong[1]}{voice} voice",
        "face": f"{strong[0]}{face}{mask}",
    }


def _strength(latent: Latent) -> tuple[str, str]:
    """A prefix for the face and one for the voice where they express strongly, as far as their attributes tell."""
    face, voice = (
        float(np.sort(np.abs(vector))[-3:].mean()) >= STRENGTH for vector in (latent.face_vector, latent.voice_vector)
    )
    return "strong expression, " if face else "", "very " if voice else ""


def feeling(latent: Latent) -> str:
    """The emotion words as a phrase: "angry and furious"."""
    words = emotion_words(latent)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def description(latent: Latent) -> str:
    """An emotion reasoning text: the cues of each modality of this clip, then the state that they add up to."""
    face = " and ".join(face_cues(latent, 2)) or "a relaxed face"
    if latent.mode is Mode.MASKING:
        face += " at first, then a smile"
    parts = [f"In the video, the person shows {face}."]
    if scene := scene_cues(latent):
        parts.append(f"There is {scene[0]}." if "light" in scene[0] else f"The posture shows {_posture(scene[0])}.")
    voice = voice_cues(latent, 2)
    parts.append(f"The voice is {' and '.join(voice) or 'even'}.")
    spoken = EMOTION_WORDS[latent.words][0][0]
    parts.append("The words are plain." if latent.words == "neutral" else f"The words sound {spoken}.")
    return " ".join([*parts, f"Taken together, the person feels {feeling(latent)}."])


def _posture(cue: str) -> str:
    return {"leaning forward": "a forward lean", "leaning back": "a backward lean"}.get(cue, cue)
