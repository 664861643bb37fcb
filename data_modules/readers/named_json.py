"""One JSON dictionary of name -> annotation: MERR fine-grained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.lookup import AnnotationError, Lookup, split_file
from data_modules.record import Sample, Task


@dataclass(frozen=True)
class NamedJson:
    """`{name: {<description>, <subtitle>, <label>, ...}}`; every other field goes to `meta`."""

    dataset: str
    splits: Mapping[str, str]  # split -> file below the data root
    description: str
    subtitle: str
    label: str
    video: tuple[str, ...]
    audio: tuple[str, ...]
    language: str = "zh"
    vocabulary: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = (Task.ERI,)

    @property
    def marker(self) -> str:
        """The annotation file: the media belong to another data set."""
        return next(iter(self.splits.values()))

    def read(self, root: Path, split: str) -> list[Sample]:
        """Samples of one split, in the order of the file."""
        path = root / split_file(self.splits, split, self.dataset)
        entries = load_json(path)
        if not isinstance(entries, dict):
            raise AnnotationError(path, 1, f"expected a dictionary of name -> annotation, found a {type(entries).__name__}")
        lookup = Lookup(root, self.video, self.audio)
        samples = []
        for name, entry in entries.items():
            if missing := [key for key in (self.description, self.subtitle, self.label) if key not in entry]:
                raise AnnotationError(path, name, f"no field {missing}; it has {sorted(entry)}")
            samples.append(
                Sample(
                    id=name,
                    dataset=self.dataset,
                    split=split,
                    tasks=self.tasks,
                    media=lookup.media(name),
                    language=self.language,
                    subtitle=entry[self.subtitle],
                    label=entry[self.label].strip().lower(),
                    description=entry[self.description].strip(),
                    meta={k: v for k, v in entry.items() if k not in (self.description, self.subtitle, self.label)},
                )
            )
        return samples


def load_json(path: Path) -> object:
    """A JSON file, with the line in the error where it is broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        raise AnnotationError(path, error.lineno, f"not JSON: {error.msg}") from error
