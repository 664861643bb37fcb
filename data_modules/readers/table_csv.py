"""Emotion reasoning in one table with a row per clip: EMER."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import rows_of, split_file, words_of
from data_modules.record import Sample, Task


@dataclass(frozen=True)
class TableCsv:
    """A table whose columns are named in the declaration; the media lie in another data set's folders."""

    dataset: str
    splits: Mapping[str, str]  # split -> file below the data root
    name: str
    words: str
    subtitle: str
    description: str
    video: tuple[str, ...]
    audio: tuple[str, ...]
    language: str = "zh"
    vocabulary: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = (Task.ERI,)

    @property
    def marker(self) -> str:
        """The annotation file."""
        return next(iter(self.splits.values()))

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the table."""
        path = root / split_file(self.splits, split, self.dataset)
        lookup = Lookup(root, self.video, self.audio)

        def sample(line: int | str, row: Mapping[str, str]) -> Sample:
            if not row[self.description].strip():
                raise AnnotationError(path, line, f"{row[self.name]!r} has an empty {self.description!r}", Fault.EMPTY_TEXT)
            return Sample(
                id=row[self.name],
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=lookup.media(row[self.name]),
                language=self.language,
                subtitle=row[self.subtitle].strip(),
                words=words_of(row[self.words]),
                description=row[self.description].strip(),
            )

        rows = rows_of(path, columns=(self.name, self.words, self.subtitle, self.description))
        yield from entries_as_samples(rows, sample, path)
