"""AvaMERG: dialogues with a chain of empathy.

| written | what |
|---|---|
| `train.json` | full schema, people of the train split |
| `valid.json` | full schema, people of the test split: the labelled part that is scored |
| `test.json` | the reduced public schema, without labels; one conversation has no turns |
| `video_v5_0/`, `audio_v5_0/` | `dia{conversation}utt{index}_{profile}.mp4` and `.wav` of the speaker's turns |

The listener's own clips are not written: nothing reads them.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from data_modules.synthetic.clips import Clip, draw_dialogue_clips
from data_modules.synthetic.latents import Person
from data_modules.synthetic.layouts.world import World, cycle
from data_modules.synthetic.situations import FEELINGS

FIRST = {"train": 1, "validation": 49_001, "test": 60_001}  # conversation numbers
TWO_TURNS = 0.5  # share of the dialogues


def avamerg(world: World) -> None:
    """Writes AvaMERG."""
    for part, split, file in (("train", "train", "train"), ("validation", "test", "valid")):
        rng = world.rng("AvaMERG", part)
        size = world.size(f"AvaMERG/{part}")
        dialogues: list[dict[str, Any]] = []
        coarse = cycle(rng, FEELINGS, size)
        while size > 0:
            turns = min(size, 2 if rng.random() < TWO_TURNS else 1)
            size -= turns
            person = world.person(rng, split)
            profile = world.people[split].index(person) + (1 if split == "train" else 101)
            conversation = f"{FIRST[part] + len(dialogues):05d}"
            clips = draw_dialogue_clips(rng, person, turns, coarse[len(dialogues)])
            dialogues.append(_conversation(rng, conversation, person, profile, clips))
            for turn, clip in enumerate(clips):
                name = f"dia{conversation}utt{2 * turn}_{profile}"
                world.film(clip.latent, video=f"AvaMERG/video_v5_0/{name}.mp4", audio=f"AvaMERG/audio_v5_0/{name}.wav")
        world.write_json(f"AvaMERG/{file}.json", dialogues)
    rng = world.rng("AvaMERG", "public test")
    public = []
    for i in range(3):
        clips = draw_dialogue_clips(rng, world.person(rng, "test"), 2) if i else []
        full = _conversation(rng, f"{FIRST['test'] + i:05d}", world.person(rng, "test"), 0, clips)
        turns_ = [{key: turn[key] for key in ("turn_id", "context", "dialogue_history")} for turn in full["turns"]]
        public.append({"conversation_id": full["conversation_id"], "turns": turns_})
    world.write_json("AvaMERG/test.json", public)


def _conversation(rng: np.random.Generator, number: str, person: Person, profile: int, clips: list[Clip]) -> dict[str, Any]:
    turns = []
    for i, clip in enumerate(clips):
        dialogue = clip.dialogue
        assert dialogue is not None
        said = [(turn.role, turn.text) for turn in dialogue.history] + [("speaker", dialogue.text)]
        turns.append(
            {
                "turn_id": str(i),
                "context": dialogue.context,
                "dialogue_history": [{"index": k, "role": role, "utterance": text} for k, (role, text) in enumerate(said)],
                "response": dialogue.response,
                "chain_of_empathy": asdict(dialogue.chain),
            }
        )
    listener = {"age": "middle-aged", "gender": "female", "timbre": "mid", "ID": 200}
    return {
        "conversation_id": number,
        "speaker_profile": {
            "age": ("young", "middle-aged", "elderly")[int(rng.integers(3))],
            "gender": "female" if person.female else "male",
            "timbre": "high" if person.female else "low",
            "ID": profile,
        },
        "listener_profile": listener,
        "topic": clips[0].dialogue.topic if clips and clips[0].dialogue else "",
        "turns": turns,
    }
