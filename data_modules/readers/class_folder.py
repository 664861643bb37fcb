"""Closed-label clips whose label is in the folder, or in a list of the clips."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data_modules.containers import resolve_inside
from data_modules.readers.annotation import AnnotationError, entries_as_samples
from data_modules.readers.lookup import VIDEO, Folder
from data_modules.readers.tables import one_of, split_file, text_of
from data_modules.record import Media, Sample, Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClassFolder:
    """CAER: `{split}/{Class}/0001.avi`. Base names repeat in every class, so the id is `split/Class/stem`."""

    dataset: str
    marker: str  # the data set's folder
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]  # split -> folder
    spelling: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, by class and name."""
        top = root / self.marker / split_file(self.splits, split, self.dataset)
        if not top.is_dir():
            raise FileNotFoundError(f"{self.dataset}: no folder {top}; expected {top}/<class>/<clip>")
        folders = {path.name: Folder(top, (path.name,), VIDEO) for path in sorted(top.iterdir()) if path.is_dir()}

        def sample(place: int | str, entry: tuple[str, str]) -> Sample:
            folder, stem = entry
            return Sample(
                id=f"{top.name}/{folder}/{stem}",
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=Media(video=folders[folder].expected(stem)),
                language=self.language,
                label=one_of(folder, self.vocabulary, self.spelling, top, place),
                candidates=self.vocabulary,
            )

        clips = ((f"{name}/{stem}", (name, stem)) for name, folder in folders.items() for stem in sorted(folder.names()))
        yield from entries_as_samples(clips, sample, top)


@dataclass(frozen=True)
class ListedClasses:
    """FERV39k: a list of `Scene/Emotion/NNNN Label`, over videos or over directories of images.

    Some copies of the list have a header line. The label is that of the list; where the folder in the path says another
    one, that is in `meta["label_in_path"]` and the number of such clips is logged.

    Attributes:
        splits: split -> list file below the data set's folder; `*` stands for the numbers of folders, which differ
            between copies. A list of one scene (`*_setups/Action/train_Action.csv`) has the same form.
        media: folders of the clips, as patterns, in the order in which they are tried.
    """

    dataset: str
    folder: str
    marker: str
    vocabulary: tuple[str, ...]
    splits: Mapping[str, str]
    media: tuple[str, ...]
    spelling: Mapping[str, str] = field(default_factory=dict)
    language: str = "zh"
    tasks: tuple[Task, ...] = (Task.MER,)

    def read(self, root: Path, split: str) -> Iterator[Sample | AnnotationError]:
        """Entries of one split, in the order of the list."""
        top = root / self.folder
        path = self._list(top, split_file(self.splits, split, self.dataset))
        places = [place.name for pattern in self.media for place in sorted(top.glob(pattern))]
        folders: dict[str, list[Folder]] = {}
        contradictions: list[str] = []

        def sample(line: int | str, text: str) -> Sample | None:
            fields = re.split(r"[\s,]+", text.strip())
            if not text.strip() or (line == 1 and "/" not in fields[0]):
                return None
            if len(fields) != 2 or fields[0].count("/") < 1:
                raise AnnotationError(path, line, f"expected 'Scene/Emotion/NNNN Label', found {text!r}")
            parent, _, name = fields[0].rpartition("/")
            name = re.sub(r"\.(mp4|avi)$", "", name)
            if parent not in folders:
                resolve_inside(top, parent or "/")  # once per folder: a list has 31,088 lines
                folders[parent] = [Folder(top / place, (parent,), VIDEO) for place in places or self.media[:1]]
            found = next((hit for folder in folders[parent] if (hit := folder.find(name))), None)
            label = one_of(fields[1], self.vocabulary, self.spelling, path, line)
            meta = {"scene": parent.split("/")[0]}
            if (written := parent.rpartition("/")[2]) and self._canonical(written) != label:
                meta["label_in_path"] = written
                contradictions.append(f"{path}:{line}: {text.strip()!r}")
            return Sample(
                id=f"{parent}/{name}",
                dataset=self.dataset,
                split=split,
                tasks=self.tasks,
                media=Media(video=found or folders[parent][0].expected(name)),
                language=self.language,
                label=label,
                candidates=self.vocabulary,
                meta=meta,
            )

        lines = text_of(path).splitlines()
        yield from entries_as_samples(enumerate(lines, start=1), sample, path)
        if contradictions:
            log.warning("%s: %d clips have another label in the list than in their path; the list is used; first: %s",
                        self.dataset, len(contradictions), contradictions[0])  # fmt: skip

    def _list(self, top: Path, pattern: str) -> Path:
        found = next(iter(sorted(top.glob(pattern))), None)
        if found is None:
            raise FileNotFoundError(f"{self.dataset}: no list {top / pattern}; it is part of the release")
        return found

    def _canonical(self, word: str) -> str:
        return self.spelling.get(word.casefold(), word.casefold())
