"""Data sets with one emotion per clip.

| data set | written |
|---|---|
| CREMA-D | `AudioWAV/{actor}_{sentence}_{EMO}_{level}.wav`, `SentenceFilenames.csv`, `VideoDemographics.csv`; no flv |
| M3ED | `annotation.json`, `splitInfo/movie_list_*.txt`, `modality_speech/{Speaker}_{utterance}.wav` |
| CAER | `{train,validation,test}/{Class}/NNNN.avi`, silent |
| FERV39k | `0_7_LabelClips/{Scene}/{Emotion}/NNNN.mp4`, silent; `4_setups/All_scenes/{train,test}_All.csv`, and per scene |

In these, the recorded modality is acted: it rarely hides the emotion (`latents.VOICE_ACTED`, `FACE_ACTED`).
"""

from __future__ import annotations

from collections import defaultdict

from data_modules.synthetic.clips import draw_clip
from data_modules.synthetic.latents import EMOTIONS
from data_modules.synthetic.layouts.world import World, cycle
from data_modules.vocabularies import CREMA_SENTENCES

CREMA_CODES = {"anger": "ANG", "disgust": "DIS", "fear": "FEA", "happy": "HAP", "neutral": "NEU", "sad": "SAD"}
CREMA_DIGITS = {"train": "1234567", "validation": "89", "test": "0"}  # last digits of the actors of each split
CREMA_SHARES = {"train": 0.86, "validation": 0.07, "test": 0.07}
FERV_SCENES = ("Action", "Argue", "Business", "DailyLife", "Interview", "School", "Social", "Talkshow")
FERV_WORDS = {emotion: emotion.capitalize() for emotion in EMOTIONS} | {"anger": "Angry"}
SERIES = {"train": ("xinjia", "laoyou", "chuntian", "luxing"), "validation": ("yisheng",), "test": ("dajie", "weilai")}


def crema_d(world: World) -> None:
    """Writes CREMA-D. The last digit of an actor's number goes with the split of the person."""
    total = world.size("CREMA-D")
    codes = {text: code for code, text in CREMA_SENTENCES.items()}
    actors: dict[str, tuple[int, str]] = {}
    for split, digits in CREMA_DIGITS.items():
        rng = world.rng("CREMA-D", split)
        numbers = [n for n in range(1001, 1092) if str(n)[-1] in digits]
        cast = dict(zip(numbers, world.people[split], strict=False))
        taken: set[str] = set()
        for emotion in cycle(rng, tuple(CREMA_CODES), max(6, round(total * CREMA_SHARES[split]))):
            for _ in range(1000):
                actor = list(cast)[int(rng.integers(len(cast)))]
                clip = draw_clip(rng, "CREMA-D", cast[actor], emotion)
                sentence = codes[clip.text]
                strength = clip.latent.intensity
                level = "XX" if sentence != "IEO" else "LO" if strength < 0.7 else "MD" if strength < 0.85 else "HI"
                name = f"{actor}_{sentence}_{CREMA_CODES[emotion]}_{level}"
                if name not in taken:
                    break
            else:
                raise ValueError(f"CREMA-D has no free name left for {len(taken) + 1} {split} clips; ask for fewer clips")
            taken.add(name)
            actors[str(actor)] = (int(rng.integers(20, 75)), "Female" if cast[actor].female else "Male")
            world.film(clip.latent, audio=f"CREMA-D/AudioWAV/{name}.wav")
    world.write_table(
        "CREMA-D/VideoDemographics.csv",
        ("ActorID", "Age", "Sex", "Race", "Ethnicity"),
        [(actor, age, sex, "Synthetic", "Synthetic") for actor, (age, sex) in sorted(actors.items())],
    )
    world.write_table(
        "CREMA-D/SentenceFilenames.csv",
        ("Stimulus_Number", "Filename"),
        list(enumerate(sorted(path.stem for r in world.recordings if (path := r.audio)), start=1)),
    )


def m3ed(world: World) -> None:
    """Writes M3ED: series of dialogues between two people, in Chinese, speech only."""
    total = world.size("M3ED")
    shares = {"train": 0.8, "validation": 0.08, "test": 0.12}
    annotation: dict[str, dict[str, object]] = {}
    for split, names in SERIES.items():
        rng = world.rng("M3ED", split)
        count = max(3, round(total * shares[split]))
        emotions = cycle(rng, EMOTIONS, count)
        people = [(world.person(rng, split), world.person(rng, split)) for _ in names]
        for start in range(0, count, 8):
            place = (start // 8) % len(names)
            series, cast = names[place], people[place]
            dialogues = annotation.setdefault(series, {})
            number = f"{series}_{len(dialogues) + 1}"
            lines: dict[str, object] = {}
            for i, emotion in enumerate(emotions[start : start + 8]):
                utterance, second = f"{number}_{i + 1}", 3 * i
                clip = draw_clip(rng, "M3ED", cast[i % 2], emotion)
                word = emotion.capitalize()
                lines[utterance] = {
                    "StartTime": f"00:00:{second:02d}:00",
                    "EndTime": f"00:00:{second + 2:02d}:10",
                    "Text": clip.text_zh,
                    "Speaker": "AB"[i % 2],
                    "EmoAnnotation": {
                        **{f"EmoAnnotator{k}": word for k in (1, 2, 3)},
                        "final_mul_emo": word,
                        "final_main_emo": word,
                    },
                }
                world.film(clip.latent, audio=f"M3ED/modality_speech/{'AB'[i % 2]}_{utterance}.wav")
            info = {
                letter: {"Name": person.name, "Gender": "Female" if person.female else "Male", "Age": "Adult", "OtherName": ""}
                for letter, person in zip("AB", cast, strict=True)
            }
            dialogues[number] = {"SpeakerInfo": info, "Dialog": lines}
    world.write_json("M3ED/annotation.json", annotation)
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        present = [series for series in SERIES[split] if series in annotation]
        world.write_text(f"M3ED/splitInfo/movie_list_{name}.txt", "".join(f"{series}\n" for series in present))
    world.write_text("M3ED/splitInfo/movie_list_total.txt", "".join(f"{series}\n" for series in annotation))


def caer(world: World) -> None:
    """Writes CAER. Names restart in every class, as they do in the release."""
    total = world.size("CAER")
    for split, share in (("train", 0.86), ("validation", 0.07), ("test", 0.07)):
        rng = world.rng("CAER", split)
        numbers: dict[str, int] = defaultdict(int)
        for emotion in cycle(rng, EMOTIONS, max(7, round(total * share))):
            numbers[emotion] += 1
            clip = draw_clip(rng, "CAER", world.person(rng, split), emotion)
            path = f"CAER/{split}/{emotion.capitalize()}/{numbers[emotion]:04d}.avi"
            world.film(clip.latent, video=path, sound=False)


def ferv39k(world: World) -> None:
    """Writes FERV39k. Numbers restart in every scene and emotion."""
    total = world.size("FERV39k")
    numbers: dict[str, int] = defaultdict(int)
    for split, share in (("train", 0.92), ("test", 0.08)):
        rng = world.rng("FERV39k", split)
        lines: list[str] = []
        for emotion in cycle(rng, EMOTIONS, max(7, round(total * share))):
            folder = f"{FERV_SCENES[int(rng.integers(len(FERV_SCENES)))]}/{FERV_WORDS[emotion]}"
            numbers[folder] += 1
            clip = draw_clip(rng, "FERV39k", world.person(rng, split), emotion)
            lines.append(f"{folder}/{numbers[folder]:04d} {FERV_WORDS[emotion]}")
            world.film(clip.latent, video=f"FERV39k/0_7_LabelClips/{folder}/{numbers[folder]:04d}.mp4", sound=False)
        world.write_text(f"FERV39k/4_setups/All_scenes/{split}_All.csv", "".join(f"{line}\n" for line in lines))
        for scene in FERV_SCENES:
            own = [line for line in lines if line.startswith(f"{scene}/")]
            world.write_text(f"FERV39k/4_setups/{scene}/{split}_{scene}.csv", "".join(f"{line}\n" for line in own))
