"""Open-vocabulary emotion words and descriptions in separate tables that share a name column: MER-Caption+, OV-MERD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import rows_of, side_table, split_file, words_of
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

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split: those with words in the order of their table, then those with a description only."""
        top = root / self.marker
        path = top / split_file(self.splits, split, self.dataset)
        words, faults = _by_name(path, "openset")
        reasons: dict[str, tuple[int, str]] = {}
        if split in self.reasons and (top / self.reasons[split]).exists():
            reasons, more = _by_name(top / self.reasons[split], "reason")
            faults += more
        yield from faults
        spoken = side_table(top / self.subtitles, "name", self.subtitle_column)
        lookup = Lookup(top, self.video, self.audio)

        def sample(place: int | str, name: str) -> Sample:
            if name in reasons and not reasons[name][1]:
                place = reasons[name][0]
                raise AnnotationError(top / self.reasons[split], place, f"{name!r} has an empty description", Fault.EMPTY_TEXT)
            has = {Task.OV_MER: name in words, Task.ERI: name in reasons}
            return Sample(
                id=name,
                dataset=self.dataset,
                split=split,
                tasks=tuple(task for task in self.tasks if has[task]),
                media=lookup.media(name),
                language=self.language,
                subtitle=spoken.get(name, ""),
                words=words_of(words[name][1]) if name in words else None,
                description=reasons[name][1] if name in reasons else None,
            )

        entries = {name: line for table in (reasons, words) for name, (line, _) in table.items()}
        order = [*words, *(name for name in reasons if name not in words)]
        yield from entries_as_samples(((entries[name], name) for name in order), sample, path)


def _by_name(path: Path, column: str) -> tuple[dict[str, tuple[int, str]], list[AnnotationError]]:
    """Name -> (line, text), and the rows that cannot be used."""
    found: dict[str, tuple[int, str]] = {}
    faults: list[AnnotationError] = []
    for line, row in rows_of(path, columns=("name", column)):
        if isinstance(row, AnnotationError):
            faults.append(row)
        elif row["name"] in found:
            faults.append(AnnotationError(path, line, f"name {row['name']!r} again", Fault.DUPLICATE_ID))
        else:
            found[row["name"]] = (line, row[column].strip())
    return found, faults
