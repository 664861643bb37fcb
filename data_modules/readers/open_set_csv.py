"""Open-vocabulary emotion words and descriptions in separate tables that share a name column: MER-Caption+, OV-MERD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.lookup import AnnotationError, Lookup, rows_of, split_file, unique, words_of
from data_modules.record import Sample, Task


@dataclass(frozen=True)
class OpenSetCsv:
    """`name,openset` and `name,reason`, with subtitles in a third table that covers more clips than are annotated.

    A sample has the tasks of the tables that it is in.
    """

    dataset: str
    marker: str
    splits: Mapping[str, str]  # split -> table of words
    reasons: Mapping[str, str]  # split -> table of descriptions; a split may have none
    subtitles: str
    subtitle_column: str
    video: tuple[str, ...]
    audio: tuple[str, ...]
    language: str = "zh"
    vocabulary: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = (Task.OV_MER, Task.ERI)

    def read(self, root: Path, split: str) -> list[Sample]:
        """Samples of one split: those with words in the order of their table, then those with a description only."""
        top = root / self.marker
        path = top / split_file(self.splits, split, self.dataset)
        words = {row["name"]: words_of(row["openset"]) for _, row in _once(path, ("name", "openset"))}
        descriptions: dict[str, str] = {}
        if split in self.reasons and (top / self.reasons[split]).exists():
            for line, row in _once(top / self.reasons[split], ("name", "reason")):
                if not row["reason"].strip():
                    raise AnnotationError(top / self.reasons[split], line, f"{row['name']!r} has an empty description")
                descriptions[row["name"]] = row["reason"].strip()
        wanted = words.keys() | descriptions.keys()
        spoken = {
            row["name"]: row[self.subtitle_column].strip()
            for _, row in rows_of(top / self.subtitles, columns=("name", self.subtitle_column))
            if row["name"] in wanted
        }
        lookup = Lookup(top, self.video, self.audio)
        samples = []
        for name in [*words, *(name for name in descriptions if name not in words)]:
            has = {Task.OV_MER: name in words, Task.ERI: name in descriptions}
            tasks = tuple(task for task in self.tasks if has[task])
            samples.append(
                Sample(
                    id=name,
                    dataset=self.dataset,
                    split=split,
                    tasks=tasks,
                    media=lookup.media(name),
                    language=self.language,
                    subtitle=spoken.get(name, ""),
                    words=words.get(name),
                    description=descriptions.get(name),
                )
            )
        return unique(samples, path)


def _once(path: Path, columns: tuple[str, str]) -> list[tuple[int, dict[str, str]]]:
    rows, seen = [], set()
    for line, row in rows_of(path, columns=columns):
        if row["name"] in seen:
            raise AnnotationError(path, line, f"name {row['name']!r} again")
        seen.add(row["name"])
        rows.append((line, row))
    return rows
