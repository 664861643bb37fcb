"""Data sets of open emotion words and of emotion reasoning.

| data set | written |
|---|---|
| MER2025 | `video/*.mp4`, `audio/*.wav`, `subtitle_chieng.csv`, `track{2,3}_train_mercaptionplus.csv`, `track{2,3}_train_ovmerd.csv` |
| MERR | `MERR/MERR_fine_grained.json`; media `MER2023/test3/{name}.avi`, `MER2023/audio/{name}.wav` |
| EMER | `EMER/gt-eng.csv`, `EMER/gt.csv`; media `MER2023/train/{name}.avi`, `MER2023/audio/{name}.wav` |

OV-MERD and EMER are for evaluation: their people are those of the test split.
"""

from __future__ import annotations

from data_modules.synthetic.clips import draw_clip
from data_modules.synthetic.latents import Mode
from data_modules.synthetic.layouts.world import World, cycle
from data_modules.synthetic.words import face_cues, scene_cues, voice_cues

EMOTIONS_OF_MERR = {
    "anger": "angry",
    "disgust": "contempt",
    "fear": "worried",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprise": "surprise",
}
ACTION_UNITS = {
    "raised inner brows": "AU01_r",
    "high brows": "AU02_r",
    "low brows": "AU04_r",
    "wide eyes": "AU05_r",
    "narrow eyes": "AU07_r",
    "a wrinkled nose": "AU09_r",
    "a smile": "AU12_r",
    "a downturned mouth": "AU15_r",
    "pressed lips": "AU23_r",
    "an open mouth": "AU25_r",
    "drooping brows": "AU45_r",
}


def mer2025(world: World) -> None:
    """Writes MER-Caption+ (train) and OV-MERD (test), which share folders and the subtitle table."""
    subtitles: list[tuple[str, str, str]] = []
    parts = (("MER-Caption+", "train", "mercaptionplus"), ("OV-MERD", "test", "ovmerd"))
    for dataset, split, suffix in parts:
        rng, words, reasons = world.rng(dataset), [], []
        for i, emotion in enumerate(cycle(rng, tuple(EMOTIONS_OF_MERR), world.size(dataset))):
            prefix = ("samplenew3", "samplenew")[i % 2] if split == "train" else "sample"
            name = f"{prefix}_{100 + i:08d}"
            clip = draw_clip(rng, dataset, world.person(rng, split), emotion)
            subtitles.append((name, clip.text_zh, clip.text))
            words.append((name, f"[{', '.join(clip.words)}]"))
            reasons.append((name, clip.description))
            world.film(clip.latent, video=f"MER2025/video/{name}.mp4", audio=f"MER2025/audio/{name}.wav")
        world.write_table(f"MER2025/track2_train_{suffix}.csv", ("name", "openset"), words)
        world.write_table(f"MER2025/track3_train_{suffix}.csv", ("name", "reason"), reasons)
    world.write_table("MER2025/subtitle_chieng.csv", ("name", "chinese", "english"), sorted(subtitles))


def merr(world: World) -> None:
    """Writes MERR fine-grained."""
    rng, entries = world.rng("MERR"), {}
    for i, emotion in enumerate(cycle(rng, tuple(EMOTIONS_OF_MERR), world.size("MERR"))):
        name = f"{'samplenew' if i % 8 else 'sample'}_{60_000 + i:08d}"
        clip = draw_clip(rng, "MERR", world.person(rng, "train"), emotion)
        units = [ACTION_UNITS[cue] for cue in face_cues(clip.latent)]
        entries[name] = {
            "AU_list": units,
            "visual_prior_list": list(scene_cues(clip.latent)),
            "audio_prior_list": f"The voice is {' and '.join(voice_cues(clip.latent)) or 'even'}.",
            "peak_index": str(4 if clip.latent.mode is Mode.MASKING else 12),
            "peak_AU_list": units[:2],
            "pseu_emotion": EMOTIONS_OF_MERR[emotion],
            "text": clip.text,
            "smp_reason_caption": clip.description,
        }
        world.film(clip.latent, video=f"MER2023/test3/{name}.avi", audio=f"MER2023/audio/{name}.wav")
    world.write_json("MERR/MERR_fine_grained.json", entries)


def emer(world: World) -> None:
    """Writes EMER. `gt.csv`, Chinese in the release, holds the English text here."""
    rng, rows = world.rng("EMER"), []
    for i, emotion in enumerate(cycle(rng, tuple(EMOTIONS_OF_MERR), world.size("EMER"))):
        name = f"sample_{80_000 + i:08d}"
        clip = draw_clip(rng, "EMER", world.person(rng, "test"), emotion)
        rows.append((name, ", ".join(clip.words), clip.text, clip.description))
        world.film(clip.latent, video=f"MER2023/train/{name}.avi", audio=f"MER2023/audio/{name}.wav")
    world.write_table("EMER/gt-eng.csv", ("names", "emotions", "subtitles", "reasons"), rows)
    world.write_table("EMER/gt.csv", ("names", "chi_reasons"), [(name, reason) for name, _, _, reason in rows])
