"""What the layout writers share: the root, the people of each split, and the recordings that remain to be made.

A writer draws its clips, writes the annotation files at once and leaves the media to `World.film`, so that they can be
rendered by many processes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data_modules.synthetic.latents import Latent, Person, generator, pool
from data_modules.synthetic.recording import Recording

PEOPLE = {"train": 60, "validation": 12, "test": 30}


@dataclass(slots=True)
class World:
    """A corpus in the making. `sizes` maps `name` or `name/split` to a number of clips."""

    root: Path
    seed: int
    sizes: Mapping[str, int]
    recordings: list[Recording] = field(default_factory=list)
    people: dict[str, list[Person]] = field(init=False)

    def __post_init__(self) -> None:
        self.people = {split: pool(self.seed, split, size) for split, size in PEOPLE.items()}

    def rng(self, *keys: str | int) -> np.random.Generator:
        """The generator of one named part."""
        return generator(self.seed, *keys)

    def size(self, key: str) -> int:
        """How many clips a part has."""
        if key not in self.sizes:
            raise KeyError(f"no size for {key!r}; there are {sorted(self.sizes)}")
        return self.sizes[key]

    def person(self, rng: np.random.Generator, split: str) -> Person:
        """Somebody of a split."""
        people = self.people[split]
        return people[int(rng.integers(len(people)))]

    def film(self, latent: Latent, video: str | None = None, audio: str | None = None, sound: bool = True) -> None:
        """Notes a clip to be rendered into files below the root."""
        paths = [None if name is None else self.root / name for name in (video, audio)]
        for path in paths:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
        self.recordings.append(Recording(latent, paths[0], paths[1], sound))

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")

    def write_json(self, name: str, content: object) -> None:
        """Writes a JSON file below the root."""
        self.write_text(name, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

    def write_table(self, name: str, header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
        """Writes a csv or tsv file below the root."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter=delimiter, lineterminator="\n")
            table.writerow(header)
            table.writerows(rows)


def cycle(rng: np.random.Generator, items: Sequence[str], size: int) -> list[str]:
    """`size` items, each as often as the others, shuffled: no class is missing from a small corpus by chance."""
    repeated = [items[i % len(items)] for i in range(size)]
    return [repeated[i] for i in rng.permutation(size)]


def write_layouts(world: World) -> None:
    """Writes the annotation files of every data set and notes all recordings."""
    from data_modules.synthetic.layouts.benchmarks import cmu_mosi, mer2023
    from data_modules.synthetic.layouts.closed_labels import caer, crema_d, ferv39k, m3ed
    from data_modules.synthetic.layouts.dialogues import avamerg
    from data_modules.synthetic.layouts.intent_tables import mintrec, mintrec2
    from data_modules.synthetic.layouts.open_words import emer, mer2025, merr

    writers: tuple[Callable[[World], None], ...] = (
        *(crema_d, m3ed, caer, ferv39k, mintrec, mintrec2, mer2025, merr, avamerg, mer2023, cmu_mosi, emer),
    )
    for write in writers:
        write(world)
