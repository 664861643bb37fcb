"""Benchmarks of MER-UniBench: `MER-UniBench/{mer2023,cmumosi}-dataset...-process/`.

| benchmark | written |
|---|---|
| MER2023 | `label-6way.npz` (`train_corpus`, `test1_corpus`), `transcription-engchi-polish.csv`, `video/*.mp4`, `audio/*.wav` |
| CMU-MOSI | `label.npz` (`train_corpus`, `val_corpus`, `test_corpus`), the same csv, `subvideo/*.mp4`, `subaudio/*.wav` |

An npz key is a 0-d object array that holds `{name: {"emo": ..., "val": ...}}`; -10 means that there is no score. The
train parts are small and of the train people; they exist because the release has them.
"""

from __future__ import annotations

import numpy as np

from data_modules.synthetic.clips import MER2023_LABELS, draw_clip
from data_modules.synthetic.latents import VALENCE
from data_modules.synthetic.layouts.world import World

NO_SCORE = -10


def mer2023(world: World) -> None:
    """Writes MER2023 as MER-UniBench has it."""
    folder, first = "MER-UniBench/mer2023-dataset-process", 0
    labels, subtitles = {}, []
    for split, key in (("train", "train_corpus"), ("test", "test1_corpus")):
        rng = world.rng("MER2023", split)
        entries: dict[str, dict[str, object]] = {}
        for i in range(world.size(f"MER2023/{split}")):
            clip = draw_clip(rng, "MER2023", world.person(rng, split))
            name = f"sample_{first + i:08d}"
            valence = round(5 * VALENCE[clip.label] * clip.latent.intensity, 2) + 0.0
            entries[name] = {"emo": MER2023_LABELS[clip.label], "val": valence}
            subtitles.append((name, clip.text_zh, clip.text))
            world.film(clip.latent, video=f"{folder}/video/{name}.mp4", audio=f"{folder}/audio/{name}.wav")
        labels[key] = entries
        first += 10_000
    _write_labels(world, f"{folder}/label-6way.npz", labels)
    world.write_table(f"{folder}/transcription-engchi-polish.csv", ("name", "chinese", "english"), subtitles)


def cmu_mosi(world: World) -> None:
    """Writes CMU-MOSI as MER-UniBench has it."""
    folder = "MER-UniBench/cmumosi-process"
    labels, subtitles = {}, []
    for split, key in (("train", "train_corpus"), ("validation", "val_corpus"), ("test", "test_corpus")):
        rng = world.rng("CMU-MOSI", split)
        entries: dict[str, dict[str, object]] = {}
        for i in range(world.size(f"CMU-MOSI/{split}")):
            clip = draw_clip(rng, "CMU-MOSI", world.person(rng, split))
            name = f"{clip.latent.person.name}_v-{split[:2]}_{i}"  # identifiers of videos may hold _ and -
            entries[name] = {"emo": 0, "val": np.float64(clip.score)}
            subtitles.append((name, "", clip.text))
            world.film(clip.latent, video=f"{folder}/subvideo/{name}.mp4", audio=f"{folder}/subaudio/{name}.wav")
        labels[key] = entries
    _write_labels(world, f"{folder}/label.npz", labels)
    world.write_table(f"{folder}/transcription-engchi-polish.csv", ("name", "chinese", "english"), subtitles)


def _write_labels(world: World, name: str, labels: dict[str, dict[str, dict[str, object]]]) -> None:
    np.savez(world.root / name, **{key: np.array(entries, dtype=object) for key, entries in labels.items()})  # type: ignore[arg-type]
