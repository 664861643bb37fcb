"""Open-vocabulary emotion words and descriptions in separate tables that share a name column: MER-Caption+, OV-MERD."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from data_modules.readers.annotation import AnnotationError, Fault, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import rows_of, split_file, words_of
from data_modules.record import Sample, Task


@dataclass(frozen=True)
class OpenSetCsv:
    """`name,openset` and `name,reason`, with subtitles in a third table that covers more clips than are annotated.

    A sample has the tasks that it can answer: without a word (`[]`) it is no sample of OV-MER, and where it has no description
    either it is an entry that cannot be used.

    Attributes:
        splits: split -> table of words below the data root; the media folders are below its folder.
        reasons: split -> table of descriptions; it may be absent.
        subtitles: table of `name,chinese,english`; the other language goes to `meta`.
        if_empty: the words of an entry that has none; the released code says `neutral`.
    """

    dataset: str
    splits: Mapping[str, str]
    reasons: Mapping[str, str]
    subtitles: str
    subtitle_column: str
    video: tuple[str, ...]
    audio: tuple[str, ...]
    if_empty: tuple[str, ...] = ()
    language: str = "zh"
    vocabulary: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = (Task.OV_MER, Task.ERI)

    @property
    def marker(self) -> str:
        """The first table of words: its folder also holds other data sets."""
        return next(iter(self.splits.values()))

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split: those in the table of words in its order, then those with a description only."""
        path = root / split_file(self.splits, split, self.dataset)
        top, reason_path = path.parent, root / self.reasons.get(split, "")
        listed, faults = _by_name(path, "openset")
        words = {name: words_of(text) or self.if_empty for name, (_, text) in listed.items()}
        reasons: dict[str, tuple[int, str]] = {}
        if reason_path.is_file():
            reasons, more = _by_name(reason_path, "reason")
            faults += more
        yield from faults
        spoken = {
            row["name"]: row for _, row in rows_of(root / self.subtitles, columns=("name", self.subtitle_column))
            if not isinstance(row, AnnotationError)
        }  # fmt: skip
        lookup = Lookup(top, self.video, self.audio)

        def sample(line: int | str, name: str) -> Sample:
            if name in reasons and not reasons[name][1]:
                problem = f"{name!r} has an empty description"
                raise AnnotationError(reason_path, reasons[name][0], problem, Fault.EMPTY_TEXT)
            if not words.get(name) and name not in reasons:
                raise AnnotationError(path, line, f"{name!r} has neither words nor a description", Fault.EMPTY_TEXT)
            has = {Task.OV_MER: bool(words.get(name)), Task.ERI: name in reasons}
            row = spoken.get(name, {})
            return Sample(
                id=name,
                dataset=self.dataset,
                split=split,
                tasks=tuple(task for task in self.tasks if has[task]),
                media=lookup.media(name),
                language=self.language,
                subtitle=row[self.subtitle_column].strip() if row else None,
                words=words.get(name),
                description=reasons[name][1] if name in reasons else None,
                meta={f"subtitle_{key}": text for key, text in row.items() if key not in ("name", self.subtitle_column)},
            )

        lines = {name: line for table in (reasons, listed) for name, (line, _) in table.items()}
        order = [*listed, *(name for name in reasons if name not in listed)]
        yield from entries_as_samples(((lines[name], name) for name in order), sample, path)


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
