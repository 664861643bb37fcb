"""Data sets of intents.

| data set | written |
|---|---|
| MIntRec | `{train,dev,test}.tsv` (season episode clip text label), `raw_data/S../E../n.mp4` |
| MIntRec2.0 | `in-scope/{train,dev,test}.tsv` (8 columns), `in-scope/raw_data/dia{d}_utt{u}.mp4`, and `out-of-scope/MIntRec2.0-OOD/` |

The sound is in the mp4, as in the releases.
"""

from __future__ import annotations

from data_modules.synthetic.clips import draw_clip, draw_intent_clip
from data_modules.synthetic.layouts.world import World, cycle
from data_modules.vocabularies import MINTREC, MINTREC2

FILES = {"train": "train", "validation": "dev", "test": "test"}
COLUMNS = ("dialogue_id", "utterance_id", "text", "label", "start_time", "end_time", "source", "speaker")
UTTERANCES = 4  # of a dialogue
OUT_OF_SCOPE = 4


def mintrec(world: World) -> None:
    """Writes MIntRec; every split has its own episodes."""
    for i, (split, file) in enumerate(FILES.items()):
        rng, rows = world.rng("MIntRec", split), []
        for clip_number, intent in enumerate(cycle(rng, MINTREC, world.size(f"MIntRec/{split}")), start=1):
            clip = draw_intent_clip(rng, "MIntRec", world.person(rng, split), intent)
            season, episode = f"S{4 + i:02d}", f"E{1 + clip_number // 40:02d}"
            rows.append((season, episode, clip_number, clip.text, intent))
            world.film(clip.latent, video=f"MIntRec/raw_data/{season}/{episode}/{clip_number}.mp4")
        world.write_table(f"MIntRec/{file}.tsv", ("season", "episode", "clip", "text", "label"), rows, "\t")


def mintrec2(world: World) -> None:
    """Writes MIntRec2.0: dialogues between two people, and a few utterances out of scope."""
    dialogue = 0
    for split, file in FILES.items():
        rng, rows = world.rng("MIntRec2.0", split), []
        cast = (world.person(rng, split), world.person(rng, split))
        for number, intent in enumerate(cycle(rng, MINTREC2, world.size(f"MIntRec2.0/{split}"))):
            utterance = number % UTTERANCES
            if utterance == 0:
                dialogue += 1
                cast = (world.person(rng, split), world.person(rng, split))
            clip = draw_intent_clip(rng, "MIntRec2.0", cast[utterance % 2], intent)
            start = 3 * utterance
            rows.append((dialogue, utterance, clip.text, intent, start, start + 2.4, "synthetic", cast[utterance % 2].name))
            world.film(clip.latent, video=f"MIntRec2.0/in-scope/raw_data/dia{dialogue}_utt{utterance}.mp4")
        world.write_table(f"MIntRec2.0/in-scope/{file}.tsv", COLUMNS, rows, "\t")
    rng, rows = world.rng("MIntRec2.0", "UNK"), []
    for utterance in range(OUT_OF_SCOPE):
        person = world.person(rng, "test")
        clip = draw_clip(rng, "MIntRec2.0", person)
        rows.append((dialogue + 1, utterance, clip.text, "UNK", 3 * utterance, 3 * utterance + 2.4, "synthetic", person.name))
        world.film(clip.latent, video=f"MIntRec2.0/out-of-scope/MIntRec2.0-OOD/raw_data/dia{dialogue + 1}_utt{utterance}.mp4")
    world.write_table("MIntRec2.0/out-of-scope/MIntRec2.0-OOD/test.tsv", COLUMNS, rows, "\t")
