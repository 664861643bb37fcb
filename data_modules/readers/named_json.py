"""One JSON dictionary of name -> annotation: MERR fine-grained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import load_json, split_file
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

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the file."""
        path = root / split_file(self.splits, split, self.dataset)
        entries = load_json(path)
        if not isinstance(entries, dict):
            raise AnnotationError(path, 1, f"expected a dictionary of name -> annotation, found a {type(entries).__name__}")
        lookup = Lookup(root, self.video, self.audio)

        def sample(name: int | str, entry: Mapping[str, Any]) -> Sample:
            if missing := [key for key in (self.description, self.subtitle, self.label) if key not in entry]:
                raise AnnotationError(path, name, f"no field {missing}; it has {sorted(entry)}", Fault.MISSING_FIELD)
            if not entry[self.description].strip():
                raise AnnotationError(path, name, f"an empty {self.description!r}", Fault.EMPTY_TEXT)
            return Sample(
                id=str(name),
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(str(name)),
                language=self.language,
                subtitle=entry[self.subtitle],
                label=entry[self.label].strip().lower(),
                description=entry[self.description].strip(),
                meta={k: v for k, v in entry.items() if k not in (self.description, self.subtitle, self.label)},
            )

        yield from entries_as_samples(entries.items(), sample, path)
