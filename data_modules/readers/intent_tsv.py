"""Intent recognition from tab-separated tables: MIntRec and MIntRec2.0."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_modules.media import resolve_inside
from data_modules.readers.annotation import AnnotationError, entries_as_samples
from data_modules.readers.lookup import Lookup
from data_modules.readers.tables import one_of, split_file
from data_modules.record import Media, Sample, Task


@dataclass(frozen=True)
class IntentTsv:
    """One utterance a line. Columns are found by name where the header has it, otherwise by position.

    Attributes:
        columns: role (`text`, `label`, perhaps `speaker`, and the parts of the id) -> (header in lower case, position).
        name: of a clip, e.g. `{season}_{episode}_{clip}`; also the sample's id.
        nested: path of a clip below `raw_data`, e.g. `{season}/{episode}/{clip}`, tried before the flat name.
    """

    dataset: str
    marker: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]
    columns: Mapping[str, tuple[str, int]]
    name: str
    nested: str | None
    video: tuple[str, ...]
    audio: tuple[str, ...]
    out_of_scope: str | None = None  # this label is left out: it is not an intent
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.MIR,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the table."""
        top = root / self.marker
        path = top / split_file(self.splits, split, self.dataset)
        lookup = Lookup(top, self.video, self.audio)
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = [name.strip().casefold() for name in next(table, [])]
            at = {role: header.index(name) if name in header else position for role, (name, position) in self.columns.items()}
            needed = max(at[role] for role in at if role != "speaker")

            def sample(line: int | str, row: Sequence[str]) -> Sample | None:
                if not row:
                    return None
                if len(row) <= needed:
                    raise AnnotationError(path, line, f"{len(row)} columns where {self.dataset} has at least {needed + 1}")
                values = {role: row[index].strip() for role, index in at.items() if index < len(row)}
                if self.out_of_scope is not None and values["label"] == self.out_of_scope:
                    return None
                name = self.name.format(**values)
                return Sample(
                    id=name,
                    dataset=self.dataset,
                    split=split,
                    tasks=self.tasks,
                    media=self._media(lookup, name, values),
                    language=self.language,
                    subtitle=values["text"],
                    label=one_of(values["label"], self.vocabulary, {}, path, line),
                    candidates=self.vocabulary,
                    meta={k: v for k, v in values.items() if k not in ("text", "label")},
                )

            yield from entries_as_samples(((table.line_num, row) for row in table), sample, path)

    def _media(self, lookup: Lookup, name: str, values: Mapping[str, str]) -> Media:
        if self.nested is not None:
            path = resolve_inside(lookup.root, f"{self.video[0]}/{self.nested.format(**values)}.mp4")
            if path.is_file():
                assert lookup.audios is not None
                return Media(path, lookup.audios.find(name))
        return lookup.media(name)
